import { MESSAGE_FAILURES, type MessageFailure, type Processed } from '../errors/message-failure.ts';
import { PRIORITIES, type Priority } from './request-route.ts';

/**
 * A batch is a sequence of records, each of them
 *
 *     head   1 byte   bits 0-3 type, bits 4-5 priority, bit 6 `more`, bit 7 zero
 *     length 4 bytes  of the body, big endian as all numbers here
 *     body
 *
 * With `more` the body goes on in the next record of the same priority, which has the same type. The bodies:
 *
 *     request  id 4, timeout in ms 4 (0: none), name 2, length of the header 2, [name], header, payload
 *     message  id 4, name 2, [name], payload
 *     reply    id 4, length of the header 2, header, payload
 *     failure  id 4, place of the reason in MESSAGE_FAILURES 1, processed 1 (0 no, 1 maybe, 2 yes), detail in UTF-8
 *     cancel   id 4
 *     name     number 2 (from 1 on), the name in UTF-8: what later records mean by the number
 *     grant    received 4, granted 4: how many requests, messages, replies, failures and `last` of this priority have
 *              arrived on this stream, and up to which cost in all the receiver may send requests and messages of it
 *              (both mod 2^32)
 *     last     empty, of the priority 0: nothing but grants comes after it on this stream
 *
 * A name of number 0 stands in the body itself: its length 1, the name in UTF-8.
 */
export const RECORD = {
  request: 1,
  message: 2,
  reply: 3,
  failure: 4,
  cancel: 5,
  name: 6,
  grant: 7,
  last: 8,
} as const;
export type RecordType = (typeof RECORD)[keyof typeof RECORD];

export const HEAD_BYTES = 5;
export const MORE = 0x40;

/** Bytes of the fields before name, header and payload. */
export const FIXED_BYTES: { readonly [Type in RecordType]: number } = {
  1: 12,
  2: 6,
  3: 6,
  4: 6,
  5: 4,
  6: 2,
  7: 8,
  8: 0,
};

/** What each request and message costs beside its bytes, so that very many small ones are bounded too. */
const COST_OF_ONE = 128;

/** What is counted against a grant. */
export function costOf(headerBytes: number, payloadBytes: number): number {
  return COST_OF_ONE + headerBytes + payloadBytes;
}

/** Most that a batch of a peer may hold. */
export const MAX_BATCH_BYTES = 65_536;
/**
 * From here on we put no more into a batch but grants and `last` (44 bytes); what does not fit waits for the next one. With
 * what gRPC and the frame put before it (9 bytes) it fits into the 65,535 bytes that HTTP/2 lets a stream send at first
 * (RFC 9113, section 6.9.2). The last bytes of a batch that does not wait for a window update, each time: that costs a
 * quarter of the throughput.
 */
export const FULL_BATCH_BYTES = 65_472;
/** Least that a part of a record holds which is not its last one. */
export const LEAST_PART_BYTES = 1_024;
/** Names that have a number; of the further ones each record holds its own. */
export const MAX_NUMBERED_NAMES = 1_024;
/** Longest name on the wire, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 255;
/** Longest header. */
export const MAX_HEADER_BYTES = 65_535;

/** Place of a priority in the list, as it stands in the head of a record. */
export type PriorityIndex = 0 | 1 | 2;

export const PRIORITY_INDEXES: readonly PriorityIndex[] = [0, 1, 2];

export function priorityIndex(priority: Priority): PriorityIndex {
  return priority === 'normal' ? 1 : priority === 'high' ? 0 : 2;
}

export function priorityAt(index: PriorityIndex): Priority {
  return PRIORITIES[index] ?? 'normal';
}

const PROCESSED: readonly Processed[] = ['no', 'maybe', 'yes'];

/** The second number of a failure. */
export function failureBytes(reason: MessageFailure, processed: Processed): readonly [number, number] {
  return [MESSAGE_FAILURES.indexOf(reason), PROCESSED.indexOf(processed)];
}

/** What a failure says; a reason that only a newer version knows is a handler that failed. */
export function readFailure(
  reason: number,
  processed: number,
): { readonly reason: MessageFailure; readonly processed: Processed } {
  return { reason: MESSAGE_FAILURES[reason] ?? 'handler_failed', processed: PROCESSED[processed] ?? 'maybe' };
}

const NOTHING: Uint8Array = new Uint8Array(0);

/** One record that waits to be written, with what its type needs of the fields. */
export class OutgoingRecord {
  readonly type: RecordType;
  readonly priority: PriorityIndex;
  /** Given when it is posted. */
  id: number;
  readonly name: string;
  readonly header: Uint8Array;
  payload: Uint8Array;
  readonly cost: number;
  /** Numbers of a failure. */
  readonly failure: readonly [number, number] | undefined;
  /** Nobody wants it any more: it is not written. */
  isDropped = false;
  /** Of its body, on the present stream. */
  bytesWritten = 0;
  /** Which of all that were written of its priority on the present stream it is, mod 2^32. */
  place = 0;
  /** Of a record that is written in parts: all before the payload. */
  prefix: Buffer | undefined;

  constructor(
    type: RecordType,
    priority: PriorityIndex,
    id: number,
    name = '',
    header: Uint8Array = NOTHING,
    payload: Uint8Array = NOTHING,
    failure?: readonly [number, number],
  ) {
    this.type = type;
    this.priority = priority;
    this.id = id;
    this.name = name;
    this.header = header;
    this.payload = payload;
    this.failure = failure;
    this.cost = costOf(header.length, payload.length);
  }

  /** Whether it is sent only within what the receiver granted. */
  get needsGrant(): boolean {
    return this.type <= RECORD.message;
  }

  /** Milliseconds that are left to answer it; 0 where there is no deadline. @param _nowMs by `performance.now()`. */
  timeoutMs(_nowMs: number): number {
    return 0;
  }

  /** All of it is in a batch of a stream. */
  onWritten(_stream: object): void {}

  /** The other side has it. */
  onArrived(): void {}

  /** It will not be written. */
  onDropped(): void {}
}
