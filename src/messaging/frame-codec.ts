import type * as grpc from '@grpc/grpc-js';
import type { Frame } from './frame.ts';

/** Of field 10, `bytes batch`, in the wire format of protobuf: the number, and that a length follows. */
const BATCH_TAG = (10 << 3) | 2;

/**
 * The method with batches written and read by hand, all other frames as the schema says. What is written is what protobuf
 * would write, and costs next to nothing: most frames of a busy stream are batches.
 */
export function withBatches(method: grpc.MethodDefinition<Frame, Frame>): grpc.MethodDefinition<Frame, Frame> {
  const serialize = (frame: Frame): Buffer =>
    frame.batch == null ? method.requestSerialize(frame) : writeBatch(frame.batch);
  const deserialize = (bytes: Buffer): Frame => readBatch(bytes) ?? method.requestDeserialize(bytes);
  return {
    ...method,
    requestSerialize: serialize,
    responseSerialize: serialize,
    requestDeserialize: deserialize,
    responseDeserialize: deserialize,
  };
}

function writeBatch(batch: Uint8Array): Buffer {
  const lengthBytes = batch.length < 0x80 ? 1 : batch.length < 0x4000 ? 2 : 3;
  const frame = Buffer.allocUnsafe(1 + lengthBytes + batch.length);
  frame[0] = BATCH_TAG;
  let rest = batch.length;
  for (let at = 1; at < lengthBytes; at += 1) {
    frame[at] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  frame[lengthBytes] = rest;
  frame.set(batch, 1 + lengthBytes);
  return frame;
}

/** Undefined for what is anything but one batch in its shortest form. */
function readBatch(bytes: Buffer): Frame | undefined {
  if (bytes[0] !== BATCH_TAG) return undefined;
  let length = 0;
  for (let at = 1; at <= 3; at += 1) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    length |= (byte & 0x7f) << (7 * (at - 1));
    if (byte < 0x80)
      return bytes.length === at + 1 + length ? { body: 'batch', batch: bytes.subarray(at + 1) } : undefined;
  }
  return undefined;
}
