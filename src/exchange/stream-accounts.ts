import { Fifo } from '../lifecycle/fifo.ts';
import type { Grant } from './batch-writer.ts';
import { type OutgoingRecord, PRIORITY_INDEXES, type PriorityIndex } from './record.ts';

/** Records that may have arrived here without the other side being told. */
const MOST_UNTOLD = 256;

/** Requests and messages, or answers, that may be written without word that they arrived, whatever the other side grants. */
const MOST_UNDERWAY = 65_536;

/** All that the other side sent and that is held, whatever stream it came over. */
export interface Held {
  /** What it costs. */
  bytes(priority: PriorityIndex): number;
  /** It is as much as nobody sends who keeps to what he is granted. */
  isFull(priority: PriorityIndex): boolean;
}

/** One priority of one stream, both directions. Counts are mod 2^32. */
class Account {
  /** Cost of what we began to send, and up to which the other side lets us. */
  sentCost = 0;
  granted = 0;
  /** How many records were written, and how many of them the other side said have arrived. */
  written = 0;
  acknowledged = 0;
  /** The requests and messages that were written and are not known to have arrived. */
  readonly underway = new Fifo<OutgoingRecord>();
  /** Place and id of each reply and failure that was. */
  readonly answers = new Fifo<number>();
  /** What has arrived here: how many, their cost, and the cost of those that are dealt with. */
  received = 0;
  receivedCost = 0;
  doneCost = 0;
  /** What of it the other side was told. */
  toldReceived = 0;
  toldGranted = 0;
  isTold = false;
}

/**
 * What the two ends of a stream owe each other: how many records have arrived, and how many more may be sent. The
 * receiver grants a window beyond what it has dealt with, so that what it holds is bounded, for each priority alone:
 * handlers that are slow with one hold up no other one.
 *
 * A1. A request or message begins only while less was sent than granted; so a record may exceed what is granted, one of
 *     them, and any size can be sent.
 * A2. What is acknowledged has arrived, in the order it was written.
 * A3. What is held of what was written is bounded, also where the other side acknowledges nothing: of answers only their
 *     numbers, and from who leaves very many of them without word (`isDeaf`) nothing more is taken over any stream.
 * A4. What came over other streams and is still held counts against the window of this one: who opens one stream after
 *     the other gets no more than who has one.
 */
export class StreamAccounts {
  readonly #windowBytes: number;
  readonly #held: Held;
  readonly #accounts = [new Account(), new Account(), new Account()] as const;

  constructor(windowBytes: number, held: Held) {
    this.#windowBytes = windowBytes;
    this.#held = held;
  }

  mayBegin(priority: PriorityIndex): boolean {
    const { sentCost, granted, underway } = this.#accounts[priority];
    return isBefore(sentCost, granted) && underway.size < MOST_UNDERWAY;
  }

  onBegun({ priority, cost }: OutgoingRecord): void {
    const account = this.#accounts[priority];
    account.sentCost = (account.sentCost + cost) >>> 0;
  }

  /** All of a request, message, reply or failure was written. */
  onWritten(record: OutgoingRecord): void {
    const account = this.#accounts[record.priority];
    account.written = (account.written + 1) >>> 0;
    if (record.needsGrant) {
      record.place = account.written;
      account.underway.push(record);
    } else {
      account.answers.push(account.written);
      account.answers.push(record.id);
    }
  }

  /** The other side was told that nothing more comes. */
  onLastWritten(): void {
    this.#accounts[0].written = (this.#accounts[0].written + 1) >>> 0;
  }

  /** Nothing that was written is still underway. */
  get isSettled(): boolean {
    return this.#accounts.every(({ written, acknowledged }) => written === acknowledged);
  }

  /** Requests and messages that were written and are not known to have arrived, in their order. */
  takeUnderway(priority: PriorityIndex): readonly OutgoingRecord[] {
    return this.#accounts[priority].underway.drain();
  }

  /** Ids of the replies and failures that were written and are not known to have arrived. */
  takeAnswers(priority: PriorityIndex): readonly number[] {
    return this.#accounts[priority].answers.drain().filter((_, index) => index % 2 === 1);
  }

  /**
   * The other side says what has arrived there and what it lets us send. Each request and message that has hears of it.
   * @returns false where it says more than was sent, or takes back what it granted.
   */
  onGrant(priority: PriorityIndex, received: number, granted: number): boolean {
    const account = this.#accounts[priority];
    const count = (received - account.acknowledged) >>> 0;
    const underway = (account.written - account.acknowledged) >>> 0;
    if (count > underway || (granted !== account.granted && !isBefore(account.granted, granted))) return false;
    account.acknowledged = received;
    account.granted = granted;
    let record = account.underway.peek();
    while (record !== undefined && !isBefore(received, record.place)) {
      account.underway.shift();
      record.onArrived();
      record = account.underway.peek();
    }
    let place = account.answers.peek();
    while (place !== undefined && !isBefore(received, place)) {
      account.answers.shift();
      account.answers.shift();
      place = account.answers.peek();
    }
    return true;
  }

  /** Whether the other side leaves very many answers without word. */
  isDeaf(priority: PriorityIndex): boolean {
    return this.#accounts[priority].answers.size >= 2 * MOST_UNDERWAY;
  }

  /** A reply, failure or `last` has arrived. */
  onReceived(priority: PriorityIndex): void {
    const account = this.#accounts[priority];
    account.received = (account.received + 1) >>> 0;
    account.isTold = false;
  }

  /** A request or message has arrived. @returns false where it was not granted. */
  onReceivedCost(priority: PriorityIndex, cost: number): boolean {
    const account = this.#accounts[priority];
    if (!isBefore(account.receivedCost, this.#grantable(priority))) return false;
    if (this.#held.isFull(priority)) return false;
    account.receivedCost = (account.receivedCost + cost) >>> 0;
    this.onReceived(priority);
    return true;
  }

  /** A request or message is dealt with. */
  onDone(priority: PriorityIndex, cost: number): void {
    const account = this.#accounts[priority];
    account.doneCost = (account.doneCost + cost) >>> 0;
    account.isTold = false;
  }

  /** Whether there is something that the other side was not told. */
  get isNews(): boolean {
    return this.#accounts.some(({ isTold }) => !isTold);
  }

  /** Whether the other side should be told without waiting for something else to send: it may be short of a grant. */
  isDue(priority: PriorityIndex): boolean {
    const { toldGranted, received, toldReceived } = this.#accounts[priority];
    const untold = (this.#grantable(priority) - toldGranted) >>> 0;
    return untold >= this.#windowBytes / 4 || (received - toldReceived) >>> 0 >= MOST_UNTOLD;
  }

  /** What is held of another stream is less than it was. */
  onFreed(priority: PriorityIndex): void {
    this.#accounts[priority].isTold = false;
  }

  /** What is to be told; it counts as told. */
  takeGrants(): readonly Grant[] {
    const grants: Grant[] = [];
    for (const priority of PRIORITY_INDEXES) {
      const account = this.#accounts[priority];
      if (account.isTold) continue;
      account.isTold = true;
      account.toldReceived = account.received;
      account.toldGranted = this.#grantable(priority);
      grants.push({ priority, received: account.received, granted: account.toldGranted });
    }
    return grants;
  }

  /** Up to which cost the other side may send, all in all. What was granted is not taken back. */
  #grantable(priority: PriorityIndex): number {
    const { receivedCost, doneCost, toldGranted } = this.#accounts[priority];
    const heldElsewhere = this.#held.bytes(priority) - ((receivedCost - doneCost) >>> 0);
    const granted = (doneCost + Math.max(this.#windowBytes - heldElsewhere, 0)) >>> 0;
    return isBefore(granted, toldGranted) ? toldGranted : granted;
  }
}

/** Of counts that go round at 2^32 and are less than half of that apart. */
function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}
