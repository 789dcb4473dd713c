import type { Fifo } from '../lifecycle/fifo.ts';
import type { OutboundQueue } from './outbound-queue.ts';
import {
  FIXED_BYTES,
  FULL_BATCH_BYTES,
  HEAD_BYTES,
  LEAST_PART_BYTES,
  MAX_BATCH_BYTES,
  MAX_NAME_BYTES,
  MAX_NUMBERED_NAMES,
  MORE,
  type OutgoingRecord,
  type PriorityIndex,
  RECORD,
  type RecordType,
} from './record.ts';

/** Room that must be left for a batch to take another record, or a part of one, and a name before it. */
const LEAST_ROOM_BYTES = LEAST_PART_BYTES + 2 * HEAD_BYTES + 2 + MAX_NAME_BYTES;

/** Batches are made in one turn, so one place to make them is enough for all streams. */
const scratch = Buffer.allocUnsafe(MAX_BATCH_BYTES);

/** How many have arrived, and what is granted; see {@link RECORD}. */
export interface Grant {
  readonly priority: PriorityIndex;
  readonly received: number;
  readonly granted: number;
}

/**
 * What of the queue may leave: all of it; what was `begun`, and when that is written the batch says that it is the last
 * one; nothing, and it is the `last` one; `nothing`.
 */
export type Takes = 'queue' | 'begun' | 'last' | 'nothing';

export interface BatchContent {
  /** Asked when all refusals are in the batch. */
  readonly grants: () => readonly Grant[];
  readonly queue: OutboundQueue;
  /** Whether a request or message of a priority may be begun. */
  readonly mayBegin: (priority: PriorityIndex) => boolean;
  /** A request or message is begun. */
  readonly onBegun: (record: OutgoingRecord) => void;
  /** The last part of a record is in the batch. */
  readonly onWritten: (record: OutgoingRecord) => void;
  /** The batch says that it is the last one. */
  readonly onLast: () => void;
  /** Failures of one-way messages, which must arrive before the grant that says that the messages did. */
  readonly refusals: Fifo<OutgoingRecord>;
  readonly takes: Takes;
}

/**
 * Makes the batches of one stream, in one direction.
 *
 * W1. A record that does not fit goes on in the next batch; what is of a higher priority goes before its next part.
 * W2. A name is sent once, before the first record that means it.
 */
export class BatchWriter {
  readonly #numbers = new Map<string, number>();
  #at = 0;
  #nowMs = 0;
  #lastWritten = false;

  /** Whether a batch said that it is the last one. */
  get lastWritten(): boolean {
    return this.#lastWritten;
  }

  /** What leaves now, in a buffer of its own; undefined where nothing may. */
  write(content: BatchContent): Buffer | undefined {
    this.#at = 0;
    this.#nowMs = performance.now();
    const { queue, refusals } = content;
    let refusal = refusals.peek();
    while (refusal !== undefined && this.#fits(refusal)) {
      this.#whole(refusal);
      content.onWritten(refusal);
      refusals.shift();
      refusal = refusals.peek();
    }
    if (refusal === undefined) for (const grant of content.grants()) this.#grant(grant);
    queue.beginBatch();
    while (this.#at <= FULL_BATCH_BYTES - LEAST_ROOM_BYTES) {
      const record = this.#next(content);
      if (record === undefined) break;
      if (record.bytesWritten === 0 && record.needsGrant) content.onBegun(record);
      if (record.bytesWritten === 0 && this.#fits(record)) this.#whole(record);
      else if (!this.#part(record)) {
        queue.begun(record);
        break;
      }
      queue.written(record);
      content.onWritten(record);
    }
    const { takes } = content;
    const isFinished = takes === 'last' || (takes === 'begun' && queue.nextBegun() === undefined);
    if (isFinished && refusals.size === 0 && !this.#lastWritten) {
      this.#head(RECORD.last, 0, 0, false);
      this.#lastWritten = true;
      content.onLast();
    }
    return this.#at === 0 ? undefined : Buffer.from(scratch.subarray(0, this.#at));
  }

  #next({ takes, queue, mayBegin }: BatchContent): OutgoingRecord | undefined {
    if (takes === 'nothing' || takes === 'last') return undefined;
    return takes === 'begun' ? queue.nextBegun() : queue.next(mayBegin);
  }

  /** Whether all of it goes into what is left, its name included where that is new. */
  #fits({ type, name, header, payload }: OutgoingRecord): boolean {
    const most = 2 * HEAD_BYTES + FIXED_BYTES[type] + 2 + 3 * name.length + header.length + payload.length;
    return this.#at + most <= FULL_BATCH_BYTES;
  }

  #whole(record: OutgoingRecord): void {
    const { type, priority, header, payload } = record;
    const number = record.needsGrant ? this.#numberOf(record.name) : 0;
    const inline = record.needsGrant && number === 0 ? inlineName(record.name) : undefined;
    const length = FIXED_BYTES[type] + (inline?.length ?? 0) + header.length + payload.length;
    this.#head(type, priority, length, false);
    this.#at = writeFixed(scratch, this.#at, record, number, this.#nowMs);
    if (inline !== undefined) this.#bytes(inline);
    if (header.length > 0) this.#bytes(header);
    if (payload.length > 0) this.#bytes(payload);
  }

  /** The next part of a record. True when it is the last one. */
  #part(record: OutgoingRecord): boolean {
    if (record.bytesWritten === 0) {
      const number = record.needsGrant ? this.#numberOf(record.name) : 0;
      const inline = record.needsGrant && number === 0 ? inlineName(record.name) : Buffer.alloc(0);
      const fixed = Buffer.allocUnsafe(FIXED_BYTES[record.type]);
      writeFixed(fixed, 0, record, number, this.#nowMs);
      record.prefix = Buffer.concat([fixed, inline, record.header]);
    }
    const { type, priority, prefix = Buffer.alloc(0), payload, bytesWritten } = record;
    const left = prefix.length + payload.length - bytesWritten;
    const length = Math.min(left, FULL_BATCH_BYTES - this.#at - HEAD_BYTES);
    this.#head(type, priority, length, length < left);
    if (bytesWritten < prefix.length) this.#bytes(prefix.subarray(bytesWritten, bytesWritten + length));
    const end = bytesWritten + length;
    const from = Math.max(bytesWritten - prefix.length, 0);
    if (end > prefix.length) this.#bytes(payload.subarray(from, end - prefix.length));
    record.bytesWritten = end;
    return length === left;
  }

  /** 0 where it has none. */
  #numberOf(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const length = Buffer.byteLength(name);
    if (this.#numbers.size >= MAX_NUMBERED_NAMES) return 0;
    if (this.#at + HEAD_BYTES + 2 + length > FULL_BATCH_BYTES) return 0;
    const number = this.#numbers.size + 1;
    this.#numbers.set(name, number);
    this.#head(RECORD.name, 0, 2 + length, false);
    this.#at = put16(scratch, this.#at, number);
    this.#at += scratch.write(name, this.#at);
    return number;
  }

  #grant({ priority, received, granted }: Grant): void {
    this.#head(RECORD.grant, priority, 8, false);
    this.#at = put32(scratch, this.#at, received);
    this.#at = put32(scratch, this.#at, granted);
  }

  #head(type: RecordType, priority: PriorityIndex, length: number, more: boolean): void {
    scratch[this.#at] = type | (priority << 4) | (more ? MORE : 0);
    this.#at = put32(scratch, this.#at + 1, length);
  }

  #bytes(bytes: Uint8Array): void {
    scratch.set(bytes, this.#at);
    this.#at += bytes.length;
  }
}

function inlineName(name: string): Buffer {
  const bytes = Buffer.from(name);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function writeFixed(target: Buffer, start: number, record: OutgoingRecord, nameNumber: number, nowMs: number): number {
  let at = put32(target, start, record.id);
  switch (record.type) {
    case RECORD.request:
      at = put32(target, at, record.timeoutMs(nowMs));
      at = put16(target, at, nameNumber);
      return put16(target, at, record.header.length);
    case RECORD.message:
      return put16(target, at, nameNumber);
    case RECORD.reply:
      return put16(target, at, record.header.length);
    case RECORD.failure:
      target[at] = record.failure?.[0] ?? 0;
      target[at + 1] = record.failure?.[1] ?? 0;
      return at + 2;
    default:
      return at;
  }
}

function put16(target: Buffer, at: number, value: number): number {
  target[at] = (value >>> 8) & 0xff;
  target[at + 1] = value & 0xff;
  return at + 2;
}

function put32(target: Buffer, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = (value >>> 16) & 0xff;
  target[at + 2] = (value >>> 8) & 0xff;
  target[at + 3] = value & 0xff;
  return at + 4;
}
