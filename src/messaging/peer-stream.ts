import { isEndReason } from '../errors/refusal-reason.ts';
import { messageOf } from '../errors/selvedge-error.ts';
import { MalformedBatch } from '../exchange/batch-reader.ts';
import type { BatchPipe, StreamExchange } from '../exchange/stream-exchange.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { atMost } from '../lifecycle/at-most.ts';
import type { Security } from '../rpc/security.ts';
import { printable } from '../telemetry/logger.ts';
import { AdmissionExchange } from './admission-exchange.ts';
import type { AdmissionAnswer, AdmissionQuestion } from './admission-question.ts';
import type { Closing } from './closing.ts';
import { DeferredFrames } from './deferred-frames.ts';
import type { Frame } from './frame.ts';
import type { FrameStream } from './frame-stream.ts';
import type { Beating, Heartbeats } from './heartbeats.ts';
import { type Introduction, parseIntroduction } from './introduction.ts';
import { ADMISSION_PROTOCOL, WATCH_PROTOCOL } from './judge-hello.ts';
import type { PeerStreamFacts } from './stream-facts.ts';

/** How long the two sides have to finish what is on its way over a stream that another one replaces. */
const HAND_OVER_MS = 5_000;

/** Shortest time between two words of the peer on itself that are passed on. */
const ADVERTISED_EVERY_MS = 100;

/** Told what the other side says. */
export interface PeerStreamListener {
  /** A frame came, whatever it says; told of each before it is looked at. */
  heard(stream: PeerStream): void;
  advertised(stream: PeerStream, introduction: Introduction): void;
  /** The other side takes nothing new. It is acknowledged when this returns. */
  draining(stream: PeerStream): void;
  /** The other side asks whether it would be admitted with other certificates. */
  asked(stream: PeerStream, question: AdmissionQuestion): AdmissionAnswer;
  /** Exactly once; from then on the stream does nothing more. */
  closed(stream: PeerStream, closing: Closing): void;
}

/**
 * One established stream to a peer, whoever dialled.
 *
 * S1. Any frame is a sign of life; silence for the heartbeat timeout ends the stream.
 * S2. A side that ends the stream says why in a Goodbye, its last frame.
 * S3. While the peer does not read, nothing piles up: see {@link DeferredFrames}; answers are left out.
 * S4. Before its Goodbye a side says what of the peer's has arrived: what the peer does not hear of then never will be
 *     processed, and may go over another stream. After `idle` nothing of either side is left unanswered.
 * S5. What a peer says of itself costs more here than there, so of what it says in quick succession the newest counts.
 */
export class PeerStream implements PeerStreamFacts, Beating {
  readonly generation: number;
  readonly security: Security;
  readonly dialledBy: string;
  readonly order: number;
  readonly direction: 'inbound' | 'outbound';
  readonly protocol: number;
  readonly identity: PeerIdentity | undefined;
  readonly connectionId: number | undefined;
  readonly openedAtMs: number = performance.now();
  /** Where batches go. */
  readonly pipe: BatchPipe = { write: (batch, done) => this.#frames.send({ batch }, done) };
  /** What batches of the peer go to; undefined where the peer sends none. */
  exchange: StreamExchange | undefined;
  readonly #frames: FrameStream;
  readonly #deferred: DeferredFrames;
  readonly #heartbeats: Heartbeats;
  readonly #listener: PeerStreamListener;
  readonly #admissions: AdmissionExchange;
  #introduction: Introduction;
  #framesSeen = 0;
  #peerWatches = true;
  #drainingHeard = false;
  readonly #acknowledged: Promise<void>;
  #acknowledge: () => void = () => {};
  #closing: Closing | undefined;
  /** Runs for a while after something the peer said of itself was passed on. */
  #advertisedTimer: NodeJS.Timeout | undefined;
  /** It said more since. */
  #isAdvertised = false;

  constructor(frames: FrameStream, facts: PeerStreamFacts, heartbeats: Heartbeats, listener: PeerStreamListener) {
    this.generation = facts.generation;
    this.security = facts.security;
    this.dialledBy = facts.dialledBy;
    this.order = facts.order;
    this.direction = facts.direction;
    this.protocol = facts.protocol;
    this.identity = facts.identity;
    this.connectionId = facts.connectionId;
    this.#introduction = facts.introduction;
    this.#frames = frames;
    this.#deferred = new DeferredFrames(frames);
    this.#heartbeats = heartbeats;
    this.#listener = listener;
    this.#admissions = new AdmissionExchange({
      send: frame => this.#deferred.sendOrDrop(frame),
      canSend: () => !this.#frames.congested,
      judge: question => listener.asked(this, question),
    });
    this.#acknowledged = new Promise(resolve => {
      this.#acknowledge = resolve;
    });
    heartbeats.add(this);
    void frames.ended.then(end => {
      this.#finish({
        reason: end.clean ? 'peer_closed' : 'connection_error',
        detail: end.detail,
        by: 'peer',
        isGoodbye: false,
      });
    });
  }

  /** Starts to take frames. Apart from the constructor, so that the owner knows the stream before it hears of it. */
  open(): void {
    this.#frames.receive(
      frame => this.#onFrame(frame),
      () => this.#deferred.flush(),
    );
  }

  /** What the peer last said of itself. */
  get introduction(): Introduction {
    return this.#introduction;
  }

  get node(): string {
    return this.#introduction.nodeName;
  }

  /** Tells the peer that our own introduction changed. */
  advertise(introduction: Introduction): void {
    if (this.#closing === undefined) this.#deferred.advertise(introduction);
  }

  /** Tells the peer whether this node watches it; one that speaks an older version takes it that it is. */
  watch(watches: boolean): void {
    if (this.protocol >= WATCH_PROTOCOL && this.#closing === undefined) this.#deferred.watch(watches);
  }

  /** Whether the peer watches this node, as it last said; until it says so, and where it never does, it is taken to. */
  get peerWatches(): boolean {
    return this.#peerWatches;
  }

  get framesSent(): number {
    return this.#frames.sent;
  }

  get framesSeen(): number {
    return this.#framesSeen;
  }

  beat(): void {
    this.#deferred.beat();
  }

  /** A process that was itself stalled first reads what waits for it: two turns of the event loop. */
  fellSilent(): void {
    const seen = this.#framesSeen;
    const judge = () => {
      if (this.#framesSeen !== seen) return;
      void this.close('heartbeat_timeout', `nothing was heard for ${this.#heartbeats.timeoutMs} ms`);
    };
    setImmediate(() => setImmediate(judge));
  }

  /** Whether questions of admission go over this stream: both sides know them, and each knows who the other is. */
  get answersAdmission(): boolean {
    return this.security.kind === 'mutual_tls' && this.protocol >= ADMISSION_PROTOCOL;
  }

  /** Asks the peer whether it would admit us; undefined where it does not say within `timeoutMs`. */
  askAdmission(question: AdmissionQuestion, timeoutMs: number): Promise<AdmissionAnswer | undefined> {
    if (!this.answersAdmission || this.#closing !== undefined) return Promise.resolve(undefined);
    return this.#admissions.ask(question, timeoutMs);
  }

  /** Tells the peer that this node takes nothing new. Resolves when it acknowledged, or the stream is over. */
  announceDraining(): Promise<void> {
    this.#frames.send({ draining: {} });
    return this.#acknowledged;
  }

  /** Lets both sides finish what is on its way, if another stream took its place or none is wanted, then ends as `close`. */
  async retire(reason: Closing['reason']): Promise<void> {
    if (this.exchange !== undefined && this.#closing === undefined) {
      if (!this.exchange.isReplaced) this.exchange.leave();
      await atMost(HAND_OVER_MS, this.exchange.quiet);
    }
    await this.close(reason);
  }

  /** Says goodbye and ends the stream. Resolves when that is sent, at the latest after a second. */
  async close(reason: Closing['reason'], detail = ''): Promise<void> {
    if (this.#closing === undefined) {
      // What is new of us may be why: that a step down from mutual TLS is meant is believed over this stream alone.
      this.#deferred.flushAdvertisement();
      const { exchange } = this;
      for (let batch = exchange?.takeLastBatch(); batch !== undefined; batch = exchange?.takeLastBatch())
        this.#frames.send({ batch });
      this.#frames.send({ goodbye: { reason, detail } });
      this.#finish({ reason, detail, by: 'us', isGoodbye: false });
    }
    await this.#frames.end();
  }

  #onFrame(frame: Frame): void {
    if (this.#closing !== undefined) return;
    this.#framesSeen += 1;
    this.#listener.heard(this);
    switch (frame.body) {
      case 'batch':
        return this.#onBatch(frame);
      case 'advertisement':
        return this.#onAdvertisement(frame);
      case 'draining':
        return this.#onDraining();
      case 'drainingAcknowledged':
        return this.#acknowledge();
      case 'goodbye':
        return this.#onGoodbye(frame);
      case 'admissionQuestion':
      case 'admissionAnswer':
        return this.#onAdmission(frame);
      case 'watch':
        this.#peerWatches = this.protocol < WATCH_PROTOCOL || frame.watch?.watches !== false;
        return;
      case 'hello':
      case 'welcome':
        return void this.close('connection_error', `a second ${frame.body}`);
      // A kind of frame that a newer version sends is a sign of life all the same.
      default:
        return;
    }
  }

  #onBatch({ batch }: Frame): void {
    try {
      if (batch) this.exchange?.receive(batch);
    } catch (error) {
      if (!(error instanceof MalformedBatch)) throw error;
      void this.close('connection_error', `a batch is malformed: ${error.message}`);
    }
  }

  #onAdvertisement(frame: Frame): void {
    let next: Introduction;
    try {
      next = parseIntroduction(frame.advertisement?.introduction);
    } catch (error) {
      return void this.close('connection_error', messageOf(error));
    }
    const { clusterName, nodeName, generation } = this.#introduction;
    if (next.clusterName !== clusterName || next.nodeName !== nodeName || next.generation !== generation)
      return void this.close('connection_error', 'an advertisement of another node');
    this.#introduction = next;
    this.#isAdvertised = true;
    if (this.#advertisedTimer === undefined) this.#passOn();
  }

  #passOn(): void {
    this.#advertisedTimer = undefined;
    if (!this.#isAdvertised) return;
    this.#isAdvertised = false;
    this.#advertisedTimer = setTimeout(() => this.#passOn(), ADVERTISED_EVERY_MS).unref();
    this.#listener.advertised(this, this.#introduction);
  }

  #onDraining(): void {
    if (this.#drainingHeard) return;
    this.#drainingHeard = true;
    this.#listener.draining(this);
    this.#frames.send({ drainingAcknowledged: {} });
  }

  #onAdmission(frame: Frame): void {
    if (!this.answersAdmission) return;
    try {
      this.#admissions.receive(frame);
    } catch (error) {
      void this.close('connection_error', messageOf(error));
    }
  }

  #onGoodbye({ goodbye }: Frame): void {
    // What a peer gives as its reason is believed when it is a word of our closed lists.
    const said = goodbye?.reason ?? '';
    const reason = isEndReason(said) ? said : 'peer_closed';
    this.#finish({ reason, detail: printable(goodbye?.detail ?? ''), by: 'peer', isGoodbye: true });
    void this.#frames.end();
  }

  #finish(closing: Closing): void {
    if (this.#closing !== undefined) return;
    // Its last word counts: that a step down from mutual TLS is meant is believed over this stream alone.
    this.#passOn();
    clearTimeout(this.#advertisedTimer);
    if (this.#closing !== undefined) return;
    this.#closing = closing;
    this.#heartbeats.remove(this);
    this.#acknowledge();
    this.#admissions.end();
    this.#listener.closed(this, closing);
  }
}
