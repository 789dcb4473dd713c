import type { StreamGuard } from '../rpc/stream-guard.ts';
import type { StreamWay } from '../rpc/stream-way.ts';
import { BatchGuard } from './batch-guard.ts';
import { BatchReader, MalformedBatch, type RecordListener } from './batch-reader.ts';
import type { Takes } from './batch-writer.ts';
import { type InboundOwner, InboundRequest } from './inbound-request.ts';
import {
  costOf,
  FIXED_BYTES,
  failureBytes,
  OutgoingRecord,
  PRIORITY_INDEXES,
  type PriorityIndex,
  RECORD,
  type RecordType,
  readFailure,
} from './record.ts';
import { StreamAccounts } from './stream-accounts.ts';
import type { StreamOwner } from './stream-owner.ts';
import { type BatchPipe, StreamSender } from './stream-sender.ts';

export type { BatchPipe } from './stream-sender.ts';

export interface ExchangeLimits {
  /** Of a request or reply, header and payload together. */
  readonly maxMessageBytes: number;
  /** Of what waits for one peer, for each priority and direction. */
  readonly queueBytes: number;
  /** Of what the peer may send before it is dealt with, for each priority. */
  readonly windowBytes: number;
}

const NOTHING = Buffer.alloc(0);

/**
 * What goes over one stream, both directions: what is sent out of the queue of its peer, and what arrives.
 *
 * X1. Nothing but grants is sent before the peer has granted something: until then it may not have taken the stream up.
 * X2. Only the oldest stream that is not left takes from the queue. One that is leaving finishes what it began, says that
 *     this was all, and has left when the other side has all of it; so records keep their order over a change of streams.
 * X3. Where one side leaves, the other one does.
 */
export class StreamExchange implements RecordListener, InboundOwner {
  readonly #guard: BatchGuard;
  readonly way: StreamWay;
  readonly #owner: StreamOwner;
  readonly #reader: BatchReader;
  /** What writes; requests remember it. */
  readonly sender: StreamSender;
  readonly #accounts: StreamAccounts;
  /** `waiting` for its turn, `active`, `leaving`, `left`; `ended` with the stream. */
  #state: 'waiting' | 'active' | 'leaving' | 'left' | 'ended' = 'waiting';
  #wasActive = false;
  #isGranted = false;
  /** A request or message of the peer came. */
  #isHeard = false;
  #peerLeft = false;
  /** Whether requests and messages may be begun in the present batch. */
  #takesRequests = false;
  #onQuiet: (() => void)[] = [];
  /** The peer takes no new requests and messages. */
  isPaused = false;

  constructor(owner: StreamOwner, pipe: BatchPipe, guard: StreamGuard, way: StreamWay) {
    this.#owner = owner;
    this.#guard = new BatchGuard(guard);
    this.way = way;
    const { limits, queue } = owner;
    this.#accounts = new StreamAccounts(limits.windowBytes, owner.held);
    this.sender = new StreamSender({
      pipe,
      queue,
      accounts: this.#accounts,
      takes: () => this.#beginBatch(),
      mayBegin: priority => this.#takesRequests && this.#accounts.mayBegin(priority),
      wrote: () => {
        this.#look();
        this.#owner.wrote();
      },
    });
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
    return this.#wasActive && (this.#state === 'active' || this.#state === 'leaving');
  }

  /** Whether the peer has taken it up. */
  get isGranted(): boolean {
    return this.#isGranted;
  }

  /** Whether the peer sends over it. */
  get isPeers(): boolean {
    return this.#isHeard && !this.#peerLeft;
  }

  /** Whether a newer stream is open. */
  get isReplaced(): boolean {
    return this.#owner.isReplaced(this);
  }

  /** Whether the peer leaves very many answers without word that went over it. */
  isDeaf(priority: PriorityIndex): boolean {
    return this.#accounts.isDeaf(priority);
  }

  /** Whether the peer said that it sends no more over it. */
  get isPeerGone(): boolean {
    return this.#peerLeft;
  }

  /** It is the one that takes from the queue now. */
  activate(): void {
    if (this.#state === 'waiting') {
      this.#state = 'active';
      this.#wasActive = true;
    }
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
    this.#guard.next();
    this.#reader.read(batch);
  }

  /** What is told last; see {@link StreamSender}. */
  takeLastBatch(): Buffer | undefined {
    return this.sender.takeLastBatch();
  }

  /** The stream is over. */
  end(): void {
    this.#state = 'ended';
    this.sender.end();
    this.#tellQuiet();
  }

  /** What was written and is not known to have arrived, in its order. Where the peer closed the stream, it has not. */
  takeUnderway(priority: PriorityIndex): readonly OutgoingRecord[] {
    return this.#accounts.takeUnderway(priority);
  }

  /** For each answer that was written and is not known to have arrived, that it is lost. */
  takeLostAnswers(): readonly OutgoingRecord[] {
    const failure = failureBytes('stream_lost', 'maybe');
    return PRIORITY_INDEXES.flatMap(priority =>
      this.#accounts
        .takeAnswers(priority)
        .map(id => new OutgoingRecord(RECORD.failure, priority, id, '', NOTHING, NOTHING, failure)),
    );
  }

  /** Writes what is ready at the end of this turn. */
  schedule(): void {
    this.sender.schedule();
  }

  hasRoom(priority: PriorityIndex, bytes: number): boolean {
    return this.#owner.queue.answerBytes(priority) + bytes <= Math.max(this.#owner.limits.queueBytes, bytes);
  }

  answered(request: InboundRequest, answer: OutgoingRecord | undefined): void {
    if (answer !== undefined && request.isOneWay) this.sender.refuse(answer);
    else if (answer !== undefined) this.#owner.queue.push(answer);
    this.#owner.answered(request);
  }

  done(request: InboundRequest): void {
    this.#accounts.onDone(request.index, request.cost);
    this.#owner.held.done(request);
    if (this.#accounts.isDue(request.index)) this.sender.tell();
  }

  released(request: InboundRequest): void {
    this.#owner.held.released(request);
  }

  /** What the peer sent over another stream, or gave up, is held no more. */
  freed(priority: PriorityIndex): void {
    this.#accounts.onFreed(priority);
    if (this.#accounts.isDue(priority)) this.sender.tell();
  }

  // A handler may end the stream in the middle of a batch: the peer is told then that the rest of it did not arrive.
  request(index: PriorityIndex, id: number, timeoutMs: number, name: string, header: Buffer, payload: Buffer): void {
    if (this.#state === 'ended') return;
    const request = new InboundRequest(this, index, id, name, header, payload, timeoutMs, false);
    this.#arrived(request);
    this.#owner.arrived(request, this.#guard);
  }

  message(index: PriorityIndex, id: number, name: string, payload: Buffer): void {
    if (this.#state === 'ended') return;
    const request = new InboundRequest(this, index, id, name, NOTHING, payload, 0, true);
    this.#arrived(request);
    // Who sent it waits for nothing but to hear this.
    this.sender.tell();
    this.#owner.arrived(request, this.#guard);
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
    if (!this.#accounts.onGrant(index, received, granted))
      throw new MalformedBatch('a grant that does not follow what was sent');
    if (!this.#isGranted) {
      this.#isGranted = true;
      this.#owner.granted(this);
    }
    this.#look();
    this.schedule();
  }

  last(): void {
    this.#peerLeft = true;
    this.#accounts.onReceived(0);
    this.sender.tell();
    this.leave();
    this.#look();
  }

  oversized(type: RecordType, index: PriorityIndex, id: number, bytes: number): void {
    if (type === RECORD.reply) {
      this.#received(index);
      return this.#owner.failed(id, { reason: 'reply_too_large', processed: 'yes' }, `${bytes} bytes`);
    }
    if (this.#state === 'ended') return;
    const isOneWay = type === RECORD.message;
    const cost = costOf(0, bytes - FIXED_BYTES[type]);
    const request = new InboundRequest(this, index, id, '', NOTHING, NOTHING, 0, isOneWay, cost);
    if (isOneWay) this.sender.tell();
    this.#arrived(request);
    request.fail('too_large', `${bytes} bytes`);
  }

  #arrived(request: InboundRequest): void {
    if (this.#peerLeft) throw new MalformedBatch('a request after the last one');
    if (this.#owner.isDeaf(request.index)) throw new MalformedBatch('answers that are not acknowledged');
    if (!this.#accounts.onReceivedCost(request.index, request.cost)) throw new MalformedBatch('more than was granted');
    this.#isHeard = true;
    this.#owner.held.took(request);
    if (this.#accounts.isDue(request.index)) this.sender.tell();
  }

  #received(index: PriorityIndex): void {
    this.#accounts.onReceived(index);
    if (this.#accounts.isDue(index)) this.sender.tell();
  }

  #beginBatch(): Takes {
    this.#takesRequests = !this.isPaused && this.way.takesMessages();
    if (this.#state === 'leaving') return this.#wasActive ? 'begun' : 'last';
    return this.#state === 'active' && this.#isGranted ? 'queue' : 'nothing';
  }

  #look(): void {
    if (this.#state === 'leaving' && this.sender.lastWritten && this.#accounts.isSettled) {
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
