import type { StreamGuard } from '../rpc/stream-guard.ts';
import type { StreamWay } from '../rpc/stream-way.ts';
import { BatchReader, MalformedBatch, type RecordListener } from './batch-reader.ts';
import { BatchWriter } from './batch-writer.ts';
import { type InboundOwner, InboundRequest } from './inbound-request.ts';
import type { OutboundQueue } from './outbound-queue.ts';
import {
  costOf,
  FIXED_BYTES,
  type OutgoingRecord,
  type PriorityIndex,
  RECORD,
  type RecordType,
  readFailure,
} from './record.ts';
import { StreamAccounts } from './stream-accounts.ts';

/** How the batches of one stream travel. */
export interface BatchPipe {
  /** Sends a batch; `done` when the next one may follow. */
  write(batch: Buffer, done: () => void): void;
}

export interface ExchangeLimits {
  /** Of a request or reply, header and payload together. */
  readonly maxMessageBytes: number;
  /** Of what waits for one peer, for each priority and direction. */
  readonly queueBytes: number;
  /** Of what the peer may send before it is dealt with, for each priority. */
  readonly windowBytes: number;
}

/** What a stream belongs to: the exchange with one peer, which outlives it. */
export interface StreamOwner {
  readonly limits: ExchangeLimits;
  readonly queue: OutboundQueue;
  /** A request or message of the peer. */
  arrived(request: InboundRequest, guard: StreamGuard): void;
  replied(id: number, header: Buffer, payload: Buffer): void;
  failed(id: number, failure: ReturnType<typeof readFailure>, detail: string): void;
  cancelled(id: number): void;
  answered(request: InboundRequest): void;
  /** Of two streams, this one is done: nothing of ours is underway on it. */
  left(stream: StreamExchange): void;
}

const NOTHING = Buffer.alloc(0);

/** Batches that are on their way at a time: one more than is needed, so that the next is ready when one leaves. */
const MOST_UNDERWAY = 2;

/**
 * What goes over one stream, both directions: batches out of the queue of its peer, and what arrives.
 *
 * X1. Only the oldest stream that is not left takes from the queue. One that is leaving finishes what it began, says that
 *     this was all, and has left when the other side has all of it; so records keep their order over a change of streams.
 * X2. What is ready in one turn of the event loop leaves together; what is ready while batches are underway waits for one
 *     of them. Nothing waits for more to come.
 */
export class StreamExchange implements RecordListener, InboundOwner {
  readonly guard: StreamGuard;
  readonly way: StreamWay;
  readonly #owner: StreamOwner;
  readonly #pipe: BatchPipe;
  readonly #reader: BatchReader;
  readonly #writer = new BatchWriter();
  readonly #accounts: StreamAccounts;
  /** Failures of one-way messages. */
  readonly #refusals: OutgoingRecord[] = [];
  /** `waiting` for its turn, `active`, `leaving`, `left`; `ended` with the stream. */
  #state: 'waiting' | 'active' | 'leaving' | 'left' | 'ended' = 'waiting';
  #underway = 0;
  #isScheduled = false;
  #isNews = true;
  #peerLeft = false;
  #onQuiet: (() => void)[] = [];
  readonly #mayBegin = (priority: PriorityIndex): boolean =>
    !this.isPaused && this.#accounts.mayBegin(priority) && this.way.takesMessages();
  readonly #written = (record: OutgoingRecord): void => {
    if (record.type <= RECORD.failure) this.#accounts.onWritten(record);
    record.onWritten();
  };
  readonly #begun = (record: OutgoingRecord): void => this.#accounts.onBegun(record);
  readonly #flush = (): void => {
    this.#isScheduled = false;
    this.#write();
  };
  readonly #batchDone = (): void => {
    this.#underway -= 1;
    this.#write();
  };
  /** The peer takes no new requests and messages. */
  isPaused = false;

  constructor(owner: StreamOwner, pipe: BatchPipe, guard: StreamGuard, way: StreamWay) {
    this.#owner = owner;
    this.#pipe = pipe;
    this.guard = guard;
    this.way = way;
    const { limits } = owner;
    this.#accounts = new StreamAccounts(limits.windowBytes);
    // Peers may allow more than this node; what it refuses for that is read to its end.
    this.#reader = new BatchReader(this, limits.maxMessageBytes + 512);
  }

  get maxMessageBytes(): number {
    return this.#owner.limits.maxMessageBytes;
  }

  /** Whether calls may be sent over it now. */
  get takesCalls(): boolean {
    return this.#state === 'active' && !this.isPaused && this.#accounts.mayBegin(1) && this.way.takesCalls();
  }

  get hasLeft(): boolean {
    return this.#state === 'left';
  }

  /** Whether it takes from the queue, or has something underway. */
  get isCurrent(): boolean {
    return this.#state === 'active' || this.#state === 'leaving';
  }

  /** Whether the peer said that it sends no more over it. */
  get isPeerGone(): boolean {
    return this.#peerLeft;
  }

  /** It is the one that takes from the queue now. */
  activate(): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'active';
    this.schedule();
  }

  /** Another one is to take its place. */
  leave(): void {
    if (this.#state === 'waiting' || this.#state === 'active') this.#state = 'leaving';
    this.schedule();
  }

  /** Resolves when neither side has anything on its way over it, or it ended. */
  get quiet(): Promise<void> {
    return new Promise(resolve => {
      this.#onQuiet.push(resolve);
      this.#tellQuiet();
    });
  }

  /** Takes a batch of the peer. @throws MalformedBatch: the peer does not keep to the protocol. */
  receive(batch: Buffer): void {
    if (this.#state === 'ended') return;
    this.#reader.read(batch);
    if (this.#isNews) this.schedule();
  }

  /** What was told last: what has arrived, so that the peer knows what has not. */
  takeLastBatch(): Buffer | undefined {
    if (this.#state === 'ended') return undefined;
    // Also what would else be told with what comes next: the peer takes what it is not told of for not arrived.
    this.#isNews = true;
    return this.#batch('nothing');
  }

  /** The stream is over. */
  end(): void {
    this.#state = 'ended';
    this.#tellQuiet();
  }

  /**
   * Requests and messages that were written and are not known to have arrived, in their order. Where the peer closed the
   * stream after its last word, they have not.
   */
  takeUnderway(priority: PriorityIndex): readonly OutgoingRecord[] {
    return this.#accounts.takeUnderway(priority).filter(({ needsGrant }) => needsGrant);
  }

  /** Writes what is ready at the end of this turn. */
  schedule(): void {
    if (this.#isScheduled || this.#underway >= MOST_UNDERWAY || this.#state === 'ended') return;
    this.#isScheduled = true;
    setImmediate(this.#flush);
  }

  hasRoom(priority: PriorityIndex, bytes: number): boolean {
    return this.#owner.queue.answerBytes(priority) + bytes <= this.#owner.limits.queueBytes;
  }

  answered(request: InboundRequest, answer: OutgoingRecord | undefined): void {
    this.#owner.answered(request);
    if (answer === undefined) return;
    if (request.isOneWay) {
      this.#refusals.push(answer);
      this.#isNews = true;
      this.schedule();
    } else this.#owner.queue.push(answer);
  }

  done(request: InboundRequest): void {
    this.#accounts.onDone(request.index, request.cost);
    if (this.#accounts.isDue({ priority: request.index })) {
      this.#isNews = true;
      this.schedule();
    }
  }

  request(index: PriorityIndex, id: number, timeoutMs: number, name: string, header: Buffer, payload: Buffer): void {
    const request = new InboundRequest(this, index, id, name, header, payload, timeoutMs, false);
    this.#arrived(request);
    this.#owner.arrived(request, this.guard);
  }

  message(index: PriorityIndex, id: number, name: string, payload: Buffer): void {
    const request = new InboundRequest(this, index, id, name, NOTHING, payload, 0, true);
    this.#arrived(request);
    // Who sent it waits for nothing but to hear this.
    this.#isNews = true;
    this.#owner.arrived(request, this.guard);
  }

  reply(index: PriorityIndex, id: number, header: Buffer, payload: Buffer): void {
    this.#received(index);
    this.#owner.replied(id, header, payload);
  }

  failure(index: PriorityIndex, id: number, reason: number, processed: number, detail: string): void {
    this.#received(index);
    this.#owner.failed(id, readFailure(reason, processed), detail);
  }

  cancel(id: number): void {
    this.#owner.cancelled(id);
  }

  grant(index: PriorityIndex, received: number, granted: number): void {
    if (!this.#accounts.onGrant(index, received, granted, arrived))
      throw new MalformedBatch('a grant that does not follow what was sent');
    this.#look();
    this.schedule();
  }

  last(): void {
    this.#peerLeft = true;
    this.#isNews = true;
    this.#look();
  }

  oversized(type: RecordType, index: PriorityIndex, id: number, bytes: number): void {
    if (type === RECORD.reply) {
      this.#received(index);
      return this.#owner.failed(id, { reason: 'reply_too_large', processed: 'yes' }, `${bytes} bytes`);
    }
    const isOneWay = type === RECORD.message;
    const cost = costOf(0, bytes - FIXED_BYTES[type]);
    const request = new InboundRequest(this, index, id, '', NOTHING, NOTHING, 0, isOneWay, cost);
    if (isOneWay) this.#isNews = true;
    this.#arrived(request);
    request.fail('too_large', `${bytes} bytes`);
  }

  #arrived(request: InboundRequest): void {
    if (!this.#accounts.onReceivedCost(request.index, request.cost)) throw new MalformedBatch('more than was granted');
    if (this.#accounts.isDue({ priority: request.index })) this.#isNews = true;
  }

  #received(index: PriorityIndex): void {
    this.#accounts.onReceived(index);
    if (this.#accounts.isDue({ priority: index })) this.#isNews = true;
  }

  #write(): void {
    while (this.#underway < MOST_UNDERWAY && this.#state !== 'ended') {
      const batch = this.#batch(this.#takes);
      if (batch === undefined) break;
      this.#underway += 1;
      this.#pipe.write(batch, this.#batchDone);
    }
    this.#look();
  }

  #batch(takes: 'queue' | 'begun' | 'nothing'): Buffer | undefined {
    const { queue } = this.#owner;
    const hasMore = takes === 'queue' ? queue.next(this.#mayBegin) !== undefined : this.#isUnfinished(takes);
    if (!hasMore && !this.#isNews && this.#refusals.length === 0) return undefined;
    this.#isNews = false;
    return this.#writer.write({
      takes,
      queue,
      refusals: this.#refusals,
      grants: () => this.#accounts.takeGrants(),
      mayBegin: this.#mayBegin,
      onBegun: this.#begun,
      onWritten: this.#written,
    });
  }

  #isUnfinished(takes: 'begun' | 'nothing'): boolean {
    return takes === 'begun' && (this.#owner.queue.nextBegun() !== undefined || !this.#writer.lastWritten);
  }

  get #takes(): 'queue' | 'begun' | 'nothing' {
    if (this.#state === 'active') return 'queue';
    return this.#state === 'leaving' ? 'begun' : 'nothing';
  }

  #look(): void {
    if (this.#state === 'leaving' && this.#writer.lastWritten && this.#accounts.isSettled) {
      this.#state = 'left';
      this.#owner.left(this);
    }
    this.#tellQuiet();
  }

  #tellQuiet(): void {
    const isQuiet = this.#state === 'ended' || (this.#state === 'left' && this.#peerLeft);
    if (!isQuiet) return;
    for (const tell of this.#onQuiet) tell();
    this.#onQuiet = [];
  }
}

function arrived(record: OutgoingRecord): void {
  record.onArrived();
}
