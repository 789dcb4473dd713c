import { Fifo } from '../lifecycle/fifo.ts';
import { type OutgoingRecord, PRIORITY_INDEXES, type PriorityIndex } from './record.ts';

/** Which priority goes first, batch for batch: each of the lower ones in one of eight, so that none waits for ever. */
const TURNS: readonly (readonly PriorityIndex[])[] = Array.from({ length: 8 }, (_, turn) =>
  turn === 0 ? [2, 1, 0] : turn === 4 ? [1, 0, 2] : PRIORITY_INDEXES,
);

/** So many records that nobody wants may wait among the others. */
const MOST_DROPPED = 64;

/**
 * The records for one peer that wait to be written.
 *
 * Q1. Requests and messages of one priority leave in the order they came, and so do replies, failures and cancels; those
 *     go first, as the other side waits for them.
 * Q2. A record that was begun is finished before another one of its priority begins.
 * Q3. `bytes` of a priority is what those of its records cost that still wait and were not dropped.
 * Q4. Of what was dropped no more is held than of what waits, and a few: a queue that does not move does not grow.
 */
export class OutboundQueue {
  readonly #answers = [new Fifo<OutgoingRecord>(), new Fifo<OutgoingRecord>(), new Fifo<OutgoingRecord>()] as const;
  readonly #requests = [new Fifo<OutgoingRecord>(), new Fifo<OutgoingRecord>(), new Fifo<OutgoingRecord>()] as const;
  readonly #begun: [OutgoingRecord | undefined, OutgoingRecord | undefined, OutgoingRecord | undefined] = [
    undefined,
    undefined,
    undefined,
  ];
  readonly #requestBytes: [number, number, number] = [0, 0, 0];
  readonly #answerBytes: [number, number, number] = [0, 0, 0];
  /** Requests and messages that were dropped and are still in their place. */
  readonly #dropped: [number, number, number] = [0, 0, 0];
  #batches = 0;
  #order = PRIORITY_INDEXES;

  requestBytes(priority: PriorityIndex): number {
    return this.#requestBytes[priority];
  }

  answerBytes(priority: PriorityIndex): number {
    return this.#answerBytes[priority];
  }

  /** Whether replies, failures or cancels wait. */
  get hasAnswers(): boolean {
    return this.#answerBytes[0] + this.#answerBytes[1] + this.#answerBytes[2] > 0;
  }

  push(record: OutgoingRecord): void {
    const { priority } = record;
    if (record.needsGrant) {
      this.#requests[priority].push(record);
      this.#requestBytes[priority] += record.cost;
    } else {
      this.#answers[priority].push(record);
      this.#answerBytes[priority] += record.cost;
    }
  }

  /** Requests and messages that the other side is known not to have got: they go first again, in their order. */
  putBack(priority: PriorityIndex, records: readonly OutgoingRecord[]): void {
    for (const record of records) {
      record.bytesWritten = 0;
      record.prefix = undefined;
      this.#requestBytes[priority] += record.cost;
    }
    this.#requests[priority].putBack(records);
  }

  /** Nobody wants it any more. False where it was begun: then it must be finished. */
  drop(record: OutgoingRecord): boolean {
    if (record.bytesWritten > 0) return false;
    if (record.isDropped) return true;
    record.isDropped = true;
    this.#leave(record);
    const { needsGrant, priority } = record;
    if (needsGrant) {
      this.#dropped[priority] += 1;
      const requests = this.#requests[priority];
      if (this.#dropped[priority] > Math.max(MOST_DROPPED, requests.size / 2)) {
        requests.keep(({ isDropped }) => !isDropped);
        this.#dropped[priority] = 0;
      }
    }
    return true;
  }

  /** To be called before each batch. */
  beginBatch(): void {
    this.#batches = (this.#batches + 1) % TURNS.length;
    this.#order = TURNS[this.#batches] ?? PRIORITY_INDEXES;
  }

  /**
   * What is to be written next; it stays until `written`.
   * @param mayBegin whether a request or message of a priority may be begun.
   */
  next(mayBegin: (priority: PriorityIndex) => boolean): OutgoingRecord | undefined {
    for (const priority of this.#order) {
      const begun = this.#begun[priority] ?? this.#first(this.#answers[priority]);
      if (begun !== undefined) return begun;
      const request = this.#first(this.#requests[priority]);
      if (request !== undefined && mayBegin(priority)) return request;
    }
    return undefined;
  }

  /** What was begun and is not finished. */
  nextBegun(): OutgoingRecord | undefined {
    return this.#begun[0] ?? this.#begun[1] ?? this.#begun[2];
  }

  /** A part of it was written, the first or another one. */
  begun(record: OutgoingRecord): void {
    this.#begun[record.priority] = record;
  }

  /** All of it was written. */
  written(record: OutgoingRecord): void {
    const { priority } = record;
    this.#begun[priority] = undefined;
    (record.needsGrant ? this.#requests : this.#answers)[priority].shift();
    this.#leave(record);
  }

  /** The stream is gone on which something may have been begun: the other side drops what it has of it. */
  abandonBegun(): readonly OutgoingRecord[] {
    const abandoned: OutgoingRecord[] = [];
    for (const priority of PRIORITY_INDEXES) {
      const record = this.#begun[priority];
      if (record === undefined) continue;
      this.#begun[priority] = undefined;
      record.bytesWritten = 0;
      record.prefix = undefined;
      abandoned.push(record);
    }
    return abandoned;
  }

  /** Takes out all replies, failures and cancels. */
  dropAnswers(): void {
    for (const priority of PRIORITY_INDEXES)
      for (const record of this.#answers[priority].drain()) {
        this.drop(record);
        record.onDropped();
      }
  }

  #first(records: Fifo<OutgoingRecord>): OutgoingRecord | undefined {
    let record = records.peek();
    while (record?.isDropped === true) {
      records.shift();
      if (record.needsGrant) this.#dropped[record.priority] -= 1;
      record = records.peek();
    }
    return record;
  }

  #leave({ needsGrant, priority, cost }: OutgoingRecord): void {
    if (needsGrant) this.#requestBytes[priority] -= cost;
    else this.#answerBytes[priority] -= cost;
  }
}
