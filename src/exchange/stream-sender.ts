import { Fifo } from '../lifecycle/fifo.ts';
import { BatchWriter, type Takes } from './batch-writer.ts';
import type { OutboundQueue } from './outbound-queue.ts';
import { type OutgoingRecord, type PriorityIndex, RECORD } from './record.ts';
import type { StreamAccounts } from './stream-accounts.ts';

/** How the batches of one stream travel. */
export interface BatchPipe {
  /** Sends a batch; `done` when the next one may follow. */
  write(batch: Buffer, done: () => void): void;
}

export interface StreamSenderParts {
  readonly pipe: BatchPipe;
  readonly queue: OutboundQueue;
  readonly accounts: StreamAccounts;
  /** What of the queue may leave over this stream now. */
  readonly takes: () => Takes;
  /** Whether a request or message of a priority may be begun. */
  readonly mayBegin: (priority: PriorityIndex) => boolean;
  /** What is ready was written, as far as it may be. */
  readonly wrote: () => void;
}

/** Batches that are on their way at a time: one more than is needed, so that the next is ready when one leaves. */
const MOST_UNDERWAY = 2;

/**
 * Sends over one stream what is ready: out of the queue of the peer, and what is to be told of what has arrived.
 *
 * S1. What is ready in one turn of the event loop leaves together; what is ready while batches are underway waits for one
 *     of them. Nothing waits for more to come.
 */
export class StreamSender {
  readonly #parts: StreamSenderParts;
  readonly #writer = new BatchWriter();
  /** Failures of one-way messages. */
  readonly #refusals = new Fifo<OutgoingRecord>();
  #underway = 0;
  #isScheduled = false;
  #hasEnded = false;
  #isNews = true;
  readonly #written = (record: OutgoingRecord): void => {
    if (record.type <= RECORD.failure) this.#parts.accounts.onWritten(record);
    record.onWritten(this);
  };
  readonly #lastWritten = (): void => this.#parts.accounts.onLastWritten();
  readonly #begun = (record: OutgoingRecord): void => this.#parts.accounts.onBegun(record);
  readonly #flush = (): void => {
    this.#isScheduled = false;
    this.#write();
  };
  readonly #batchDone = (): void => {
    this.#underway -= 1;
    this.#write();
  };

  constructor(parts: StreamSenderParts) {
    this.#parts = parts;
  }

  /** Whether the other side was told that nothing more comes. */
  get lastWritten(): boolean {
    return this.#writer.lastWritten;
  }

  /** Writes what is ready at the end of this turn. */
  schedule(): void {
    if (this.#isScheduled || this.#underway >= MOST_UNDERWAY || this.#hasEnded) return;
    this.#isScheduled = true;
    setImmediate(this.#flush);
  }

  /** The other side is to hear what has arrived, without waiting for something else to send. */
  tell(): void {
    this.#isNews = true;
    this.schedule();
  }

  /** A message that nobody answers failed: that must arrive before the other side hears that the message has arrived. */
  refuse(failure: OutgoingRecord): void {
    if (this.#hasEnded) return failure.onDropped();
    this.#refusals.push(failure);
    this.tell();
  }

  /**
   * What is told last: what has arrived, so that the other side knows what has not. In several batches, until there is none.
   */
  takeLastBatch(): Buffer | undefined {
    // Also what would else be told with what comes next: the peer takes what it is not told of for not arrived.
    if (this.#parts.accounts.isNews) this.#isNews = true;
    return this.#hasEnded ? undefined : this.#batch('nothing');
  }

  end(): void {
    this.#hasEnded = true;
    for (const refusal of this.#refusals.drain()) refusal.onDropped();
  }

  #write(): void {
    while (this.#underway < MOST_UNDERWAY && !this.#hasEnded) {
      const batch = this.#batch(this.#parts.takes());
      if (batch === undefined) break;
      this.#underway += 1;
      this.#parts.pipe.write(batch, this.#batchDone);
    }
    this.#parts.wrote();
  }

  #batch(takes: Takes): Buffer | undefined {
    const { queue, accounts, mayBegin } = this.#parts;
    if (!this.#isNews && this.#refusals.size === 0 && !this.#hasMore(takes)) return undefined;
    this.#isNews = false;
    return this.#writer.write({
      takes,
      queue,
      refusals: this.#refusals,
      grants: () => accounts.takeGrants(),
      mayBegin,
      onBegun: this.#begun,
      onWritten: this.#written,
      onLast: this.#lastWritten,
    });
  }

  #hasMore(takes: Takes): boolean {
    const { queue, mayBegin } = this.#parts;
    if (takes === 'queue') return queue.next(mayBegin) !== undefined;
    if (takes === 'begun' && queue.nextBegun() !== undefined) return true;
    return takes !== 'nothing' && !this.#writer.lastWritten;
  }
}
