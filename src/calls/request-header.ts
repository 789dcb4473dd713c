import * as grpc from '@grpc/grpc-js';
import { HeaderReader } from './header-reader.ts';
import { HeaderWriter } from './header-writer.ts';

/** The metadata block without any metadata. */
const EMPTY: Uint8Array = Uint8Array.of(0);

/** The header of a call's request: its metadata. Undefined where the stream cannot carry all of it as HTTP/2 would. */
export function encodeRequestHeader(metadata: grpc.Metadata): Uint8Array | undefined {
  if (isEmpty(metadata)) return EMPTY;
  const writer = new HeaderWriter();
  return writer.metadata(metadata) ? writer.finish() : undefined;
}

/** @throws MalformedHeader */
export function decodeRequestHeader(header: Buffer): grpc.Metadata {
  if (header.length === 1 && header[0] === 0) return new grpc.Metadata();
  const reader = new HeaderReader(header);
  const metadata = reader.metadata();
  reader.end();
  return metadata;
}

export function isEmpty(metadata: grpc.Metadata): boolean {
  for (const _key in metadata.toJSON()) return false;
  return true;
}
