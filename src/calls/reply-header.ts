import * as grpc from '@grpc/grpc-js';
import { HeaderReader, MalformedHeader } from './header-reader.ts';
import { HeaderWriter } from './header-writer.ts';
import { isEmpty } from './request-header.ts';

/** How a call ended, beside its message. */
export interface ReplyHeader {
  readonly hasMessage: boolean;
  readonly code: grpc.status;
  readonly details: string;
  /** What was sent before the message; undefined where the status was all that was sent. */
  readonly initial: grpc.Metadata | undefined;
  readonly trailing: grpc.Metadata;
}

/** The first byte says what is there, in this order; a status that is not there is OK. */
const MESSAGE = 1;
const STATUS = 2;
const INITIAL = 4;
const TRAILING = 8;

const JUST_OK: Uint8Array = Uint8Array.of(MESSAGE);

/** What a server has of a reply before it is sent. */
export interface Reply {
  readonly hasMessage: boolean;
  readonly code: number;
  readonly details: string;
  /** An encoded metadata block. */
  readonly initial: Uint8Array | undefined;
  readonly trailing: grpc.Metadata | null | undefined;
}

/** A metadata block of its own. Undefined where it is too large; keys that HTTP/2 would not carry are left out. */
export function encodeMetadata(metadata: grpc.Metadata): Uint8Array | undefined {
  const writer = new HeaderWriter();
  writer.metadata(metadata);
  return writer.finish();
}

/** The header of the reply to a call. Undefined where it would be too large. */
export function encodeReplyHeader({ hasMessage, code, details, initial, trailing }: Reply): Uint8Array | undefined {
  const isOk = code === grpc.status.OK && details === 'OK';
  const trailers = trailing == null || isEmpty(trailing) ? undefined : trailing;
  if (hasMessage && isOk && initial === undefined && trailers === undefined) return JUST_OK;
  const writer = new HeaderWriter();
  writer.byte(
    (hasMessage ? MESSAGE : 0) |
      (isOk ? 0 : STATUS) |
      (initial === undefined ? 0 : INITIAL) |
      (trailers === undefined ? 0 : TRAILING),
  );
  if (!isOk) {
    writer.varint(isStatusCode(code) ? code : grpc.status.UNKNOWN);
    writer.text(details);
  }
  if (initial !== undefined) writer.bytes(initial);
  if (trailers !== undefined) writer.metadata(trailers);
  return writer.finish();
}

/** @throws MalformedHeader */
export function decodeReplyHeader(header: Buffer): ReplyHeader {
  const reader = new HeaderReader(header);
  const parts = reader.byte();
  if (parts > (MESSAGE | STATUS | INITIAL | TRAILING))
    throw new MalformedHeader('it has parts that are not known here');
  const hasMessage = (parts & MESSAGE) !== 0;
  const hasStatus = (parts & STATUS) !== 0;
  const code = hasStatus ? reader.varint() : grpc.status.OK;
  const details = hasStatus ? reader.text('utf8') : 'OK';
  // Before a message there is always metadata, as over HTTP/2.
  const initial = (parts & INITIAL) !== 0 ? reader.metadata() : hasMessage ? new grpc.Metadata() : undefined;
  const trailing = (parts & TRAILING) !== 0 ? reader.metadata() : new grpc.Metadata();
  reader.end();
  return { hasMessage, code, details, initial, trailing };
}

function isStatusCode(code: number): boolean {
  return Number.isInteger(code) && code >= 0 && code <= 0x7fff_ffff;
}
