import type { MessageFailure } from '../errors/message-failure.ts';
import { Deadlines } from '../lifecycle/deadlines.ts';
import { throwLater } from '../lifecycle/throw-later.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import type { StreamWay } from '../rpc/stream-way.ts';
import { HeldRequests } from './held-requests.ts';
import type { InboundOwner, InboundRequest } from './inbound-request.ts';
import { OutboundQueue } from './outbound-queue.ts';
import { CallbackRequest, type PendingRequest, type RequestOwner } from './pending-request.ts';
import {
  MAX_HEADER_BYTES,
  MAX_NAME_BYTES,
  OutgoingRecord,
  PRIORITY_INDEXES,
  type PriorityIndex,
  RECORD,
  type readFailure,
} from './record.ts';
import { RequestIds } from './request-ids.ts';
import type { OutgoingRequest, RequestOutcome, RequestRoute } from './request-route.ts';
import { type BatchPipe, type ExchangeLimits, StreamExchange } from './stream-exchange.ts';
import type { StreamOwner } from './stream-owner.ts';

export interface PeerExchangeParts {
  readonly limits: ExchangeLimits;
  /** Serves a request or message of the peer, in this turn or later. */
  readonly serve: (request: InboundRequest, guard: StreamGuard) => void;
  /** Something waits and there is no stream. */
  readonly demand: () => void;
  /** The text of a peer, fit for people. */
  readonly printable: (text: string) => string;
}

/** How a stream ended. `closed`: the peer said goodbye after its last word, so what has not arrived there never will. */
export type StreamEnd = 'closed' | 'lost';

/** From so many running requests on each holds only its own bytes: small ones must not keep a batch in memory each. */
const MANY_RUNNING = 512;

/**
 * Requests, messages and replies between this node and one peer, over the streams that come and go between them.
 *
 * E1. Every request and message is settled exactly once: answered, arrived, failed with a reason, given up, or at its
 *     deadline.
 * E2. None is written twice, unless it is certain that the peer has not got it the first time.
 * E3. What is not written yet waits for the next stream, save for calls; what was written and not answered fails when the
 *     stream is lost, and goes on when another stream took its place.
 * E4. Nothing of ours is begun over a stream that may not take it ({@link StreamWay}): a message for which there is no
 *     other stream, and a call that waited, fail as `declined`.
 * E5. A peer sends over one stream after the other. When it uses a newer one without having left an older one, that is
 *     lost to it: nothing more is served that arrives over it, for it would come after what was sent later.
 * E6. What the peer can make this node hold does not grow with its streams, nor with what it gives up: {@link HeldRequests}.
 */
export class PeerExchange implements RequestRoute, StreamOwner, RequestOwner {
  readonly limits: ExchangeLimits;
  readonly queue: OutboundQueue = new OutboundQueue();
  readonly held: HeldRequests;
  readonly #parts: PeerExchangeParts;
  readonly #deadlines = new Deadlines();
  readonly #pending = new Map<number, PendingRequest>();
  /** Requests of the peer that are not answered, by id. */
  readonly #running = new Map<number, InboundRequest>();
  /** Those that are open, the oldest first. */
  #streams: StreamExchange[] = [];
  /** The oldest that is not left: what waits goes over it. */
  #current: StreamExchange | undefined;
  /** The newest stream over which the peer sent something. */
  #heardOver: InboundOwner | undefined;
  readonly #ids = new RequestIds();
  #generation: number | undefined;
  #isClosed = false;
  #hadTraffic = false;
  #onIdle: (() => void)[] = [];

  constructor(parts: PeerExchangeParts) {
    this.#parts = parts;
    this.limits = parts.limits;
    this.held = new HeldRequests(parts.limits.windowBytes, this.#deadlines, () => this.#streams);
  }

  tryRequest(request: OutgoingRequest, settle: (outcome: RequestOutcome) => void): PendingRequest | undefined {
    if (this.#current?.takesCalls !== true) return undefined;
    const pending = new CallbackRequest(request, settle);
    this.post(pending, request.timeoutMs);
    return pending;
  }

  /**
   * Sends a request or message, now or when there is a stream that takes it. It is settled in a later turn.
   * @param timeoutMs from now; undefined where there is no deadline.
   */
  post(pending: PendingRequest, timeoutMs: number | undefined): void {
    pending.owner = this;
    pending.id = this.#ids.next(id => this.#pending.has(id));
    const obstacle = this.#obstacle(pending);
    if (obstacle !== undefined) {
      // It never was in the queue.
      pending.isDropped = true;
      return process.nextTick(() => pending.fail(...obstacle));
    }
    this.#pending.set(pending.id, pending);
    this.#hadTraffic = true;
    if (timeoutMs !== undefined) this.#deadlines.add(pending, Math.max(Math.ceil(timeoutMs), 0));
    this.queue.push(pending);
    if (this.#current === undefined) this.#parts.demand();
    else this.#current.schedule();
  }

  /**
   * A stream is open: it is used when the peer has taken it up too, and those before it are done.
   * @param generation of the process of the peer.
   */
  attach(pipe: BatchPipe, guard: StreamGuard, way: StreamWay, generation: number): StreamExchange {
    if (this.#generation !== undefined && this.#generation !== generation) this.#forgetProcess();
    this.#generation = generation;
    const stream = new StreamExchange(this, pipe, guard, way);
    this.#streams.push(stream);
    this.#next();
    stream.schedule();
    return stream;
  }

  /** The peer has taken a stream up. */
  granted(stream: StreamExchange): void {
    for (const older of this.#streams.slice(0, this.#streams.indexOf(stream))) older.leave();
  }

  isDeaf(priority: PriorityIndex): boolean {
    return this.#streams.some(stream => stream.isDeaf(priority));
  }

  isReplaced(stream: StreamExchange): boolean {
    return this.#streams.at(-1) !== stream;
  }

  /** The stream is over. */
  detach(stream: StreamExchange, end: StreamEnd): void {
    if (!this.#streams.includes(stream)) return;
    const { isCurrent, hasLeft, isGranted, isPeerGone } = stream;
    // The peer fails what it sent over the stream that it uses, and nothing else: that it waits for.
    const isPeersCurrent = this.#streams.find(each => each.isPeers) === stream;
    stream.end();
    this.#streams = this.#streams.filter(each => each !== stream);
    if (isCurrent) this.#recover(stream, end);
    // Where one side is not done with it, something may be lost with it: of ours, or of the answers.
    if (isGranted && !(hasLeft && isPeerGone)) this.#failWritten();
    if (isPeersCurrent) {
      for (const request of [...this.#running.values()]) request.cancel();
      if (isCurrent) this.queue.dropAnswers();
    } else for (const failure of stream.takeLostAnswers()) this.queue.push(failure);
    this.#next();
  }

  /** The peer takes nothing new over its present stream. */
  pause(): void {
    for (const stream of this.#streams) stream.isPaused = true;
  }

  /** Whether anything is on its way in either direction, or was since this was asked last. */
  takeTraffic(): boolean {
    const hadTraffic = this.#hadTraffic || this.#pending.size + this.#running.size > 0;
    this.#hadTraffic = false;
    return hadTraffic;
  }

  /** Resolves when no request of the peer is being served any more, and all answers are on their way. */
  get idle(): Promise<void> {
    return new Promise(resolve => {
      this.#onIdle.push(resolve);
      this.#tellIdle();
    });
  }

  /** Fails all that is not settled. */
  close(reason: MessageFailure): void {
    this.#isClosed = true;
    for (const pending of [...this.#pending.values()]) pending.fail(reason, pending.isWritten ? 'maybe' : 'no');
    for (const request of [...this.#running.values()]) request.cancel();
    for (const stream of this.#streams) stream.end();
    this.#streams = [];
    this.#current = undefined;
    this.#deadlines.close();
  }

  arrived(request: InboundRequest, guard: StreamGuard): void {
    if (request.owner !== this.#heardOver) this.#overtake(request.owner);
    this.#hadTraffic = true;
    if (this.#running.size >= MANY_RUNNING) request.detachFromBatch();
    try {
      this.#parts.serve(request, guard);
    } catch (error) {
      throwLater(error);
      request.fail('handler_failed');
    }
    if (request.isEnded) return;
    // Of two with one id the peer cannot tell the answers.
    this.#running.get(request.id)?.cancel();
    this.#running.set(request.id, request);
    if (request.timeoutMs > 0) this.#deadlines.add(request, request.timeoutMs);
  }

  replied(id: number, header: Buffer, payload: Buffer): void {
    this.#pending.get(id)?.reply(header, payload);
  }

  failed(id: number, { reason, processed }: ReturnType<typeof readFailure>, detail: string): void {
    this.#pending.get(id)?.fail(reason, processed, this.#parts.printable(detail));
  }

  cancelled(id: number): void {
    this.#running.get(id)?.cancel();
  }

  answered(request: InboundRequest): void {
    this.#deadlines.remove(request);
    if (this.#running.get(request.id) === request) this.#running.delete(request.id);
    if (this.#current === undefined) this.#tellIdle();
    else this.#current.schedule();
  }

  wrote(): void {
    if (this.#onIdle.length > 0) this.#tellIdle();
  }

  left(stream: StreamExchange): void {
    if (this.#current === stream) this.#next();
  }

  settled(request: PendingRequest): void {
    this.#deadlines.remove(request);
    this.#pending.delete(request.id);
  }

  withdraw(request: PendingRequest): boolean {
    return this.queue.drop(request);
  }

  revoke({ priority, id }: PendingRequest): void {
    this.queue.push(new OutgoingRecord(RECORD.cancel, priority, id));
    this.#current?.schedule();
  }

  #obstacle({ name, header, payload, priority, cost }: PendingRequest): [MessageFailure, 'no', string] | undefined {
    const { maxMessageBytes, queueBytes } = this.limits;
    if (this.#isClosed) return ['node_closed', 'no', ''];
    const bytes = header.length + payload.length;
    if (bytes > maxMessageBytes) return ['too_large', 'no', `${bytes} bytes; ${maxMessageBytes} are allowed`];
    if (header.length > MAX_HEADER_BYTES || Buffer.byteLength(name) > MAX_NAME_BYTES)
      return ['too_large', 'no', 'the name or the header is too long'];
    if (this.#current?.way.takesMessages() === false)
      return ['declined', 'no', 'the certificate of the peer does not bear the name of the node'];
    if (this.queue.requestBytes(priority) + cost > Math.max(queueBytes, cost)) return ['queue_full', 'no', ''];
    return undefined;
  }

  /** E5 */
  #overtake(owner: InboundOwner): void {
    this.#heardOver = owner;
    for (const older of [...this.#streams]) {
      if (older === owner) break;
      if (!older.isPeerGone) this.detach(older, 'lost');
    }
  }

  /** What was begun begins anew over the next stream, and so does what is known not to have arrived. */
  #recover(stream: StreamExchange, end: StreamEnd): void {
    for (const record of this.queue.abandonBegun()) if ((record as PendingRequest).isSettled) this.queue.drop(record);
    if (end !== 'closed') return;
    for (const priority of PRIORITY_INDEXES) {
      const unheard = (stream.takeUnderway(priority) as readonly PendingRequest[]).filter(
        ({ isSettled }) => !isSettled,
      );
      for (const request of unheard) request.writtenOn = undefined;
      this.queue.putBack(priority, unheard);
    }
  }

  /** All but what was written on streams that are still in use: what was written on others is answered on those. */
  #failWritten(): void {
    const open: ReadonlySet<object> = new Set(this.#streams.flatMap(each => (each.hasLeft ? [] : each.sender)));
    for (const pending of [...this.#pending.values()]) {
      if (pending.writtenOn === undefined || open.has(pending.writtenOn)) continue;
      pending.fail('stream_lost', 'maybe');
      // Where the peer cannot know that the stream was in use here, it would serve it on.
      if (pending.type === RECORD.request) this.revoke(pending);
    }
  }

  /** The process of the peer is gone. Another one knows nothing of what it asked and was asked, and counts ids anew. */
  #forgetProcess(): void {
    for (const stream of [...this.#streams]) this.detach(stream, 'lost');
    this.#failWritten();
    for (const request of [...this.#running.values()]) request.cancel();
    this.queue.dropAnswers();
  }

  /** The oldest stream that is not left takes over. */
  #next(): void {
    this.#current = this.#streams.find(stream => !stream.hasLeft);
    this.#current?.activate();
    this.#declineCalls();
    const isWaiting = this.#pending.size > 0 || this.queue.hasAnswers;
    if (this.#current === undefined && isWaiting) this.#parts.demand();
    this.#tellIdle();
  }

  /** Calls do not wait for another stream. Whether one takes them is a verdict on a certificate: not asked for nothing. */
  #declineCalls(): void {
    if (this.#pending.size === 0 || this.#current?.way.takesCalls() === true) return;
    for (const pending of [...this.#pending.values()]) if (pending.name.startsWith('/')) pending.decline();
  }

  #tellIdle(): void {
    const isIdle = this.#running.size === 0 && (this.#current === undefined || !this.queue.hasAnswers);
    if (!isIdle) return;
    for (const tell of this.#onIdle) tell();
    this.#onIdle = [];
  }
}
