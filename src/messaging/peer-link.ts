import { Backoff } from '../lifecycle/backoff.ts';
import type { Logger } from '../telemetry/logger.ts';
import { chooseStream, type StreamFacts } from './choose-stream.ts';
import type { Closing } from './closing.ts';
import type { DialOutcome, Welcomed } from './dial-peer.ts';
import type { FrameStream } from './frame-stream.ts';
import type { Introduction } from './introduction.ts';
import { LostStreams } from './lost-streams.ts';
import { PeerDialler } from './peer-dialler.ts';
import {
  DEFAULT_HELLO_TIMEOUT_MS,
  type KnownMember,
  type PeerChannels,
  type PeerStreamsOptions,
} from './peer-parts.ts';
import { type DialProblem, PeerStatus } from './peer-status.ts';
import type { PeerStream } from './peer-stream.ts';
import { type PeerEntry, PeerLine } from './peer-table.ts';
import type { RunningClock } from './running-clock.ts';
import { StreamInterest } from './stream-interest.ts';
import { StreamRenewal } from './stream-renewal.ts';

export interface PeerLinkParts {
  readonly name: string;
  /** Whether there is traffic with it, or was since this was asked last. */
  readonly isBusy: () => boolean;
  readonly connector: PeerChannels;
  readonly options: PeerStreamsOptions;
  /** By which silence is measured. */
  readonly clock: Pick<RunningClock, 'now'>;
  readonly logger: Logger;
  readonly self: () => Introduction;
  /** Undefined for a stranger, who is never dialled. */
  readonly member: () => KnownMember | undefined;
  readonly dial: (signal: AbortSignal) => Promise<DialOutcome>;
  /** A dial was welcomed: the stream is to be offered to this link. */
  readonly welcomed: (outcome: Welcomed) => void;
  readonly changed: () => void;
}

/** Ends after which the peer is on its way out: there is no hurry to dial it again. */
const LEAVING: readonly string[] = ['node_draining', 'node_closed', 'not_a_member', 'member_removed'];

/**
 * Everything between this node and one other: the one stream that stays, the dialling for it, and why there is none.
 *
 * P1. At most one stream is live; of two, {@link chooseStream} names the one that stays and the other gets a goodbye. The
 *     goodbye is said by the node that dialled the one that stays, when it has its Welcome: so neither end is ever
 *     without a stream. The other end says it only when that does not come.
 * P2. While a stream is live nothing is dialled, unless the new one would be more secure or the connection under it was
 *     replaced. The old stream lives until the new one is welcomed.
 * P3. A stream is dialled while this node watches the member or has traffic with it, and while the member may be gone, which
 *     only a stream can refute. One that we dialled ends as `idle` when nobody wants it and the peer does not watch us
 *     either; what the peer dialled is for the peer to end.
 */
export class PeerLink {
  readonly name: string;
  readonly #parts: PeerLinkParts;
  readonly #dialler: PeerDialler;
  readonly #backoff: Backoff;
  #live: PeerStream | undefined;
  readonly #lost: LostStreams;
  #introduction: Introduction | undefined;
  readonly #renewal: StreamRenewal;
  readonly #interest: StreamInterest;
  readonly #status: PeerStatus;
  readonly #line: PeerLine;
  #active = false;

  constructor(parts: PeerLinkParts) {
    this.name = parts.name;
    this.#line = new PeerLine(parts.name);
    this.#parts = parts;
    this.#lost = new LostStreams(parts.options.helloTimeoutMs ?? DEFAULT_HELLO_TIMEOUT_MS);
    this.#interest = new StreamInterest({
      idleTimeoutMs: parts.options.idleTimeoutMs,
      isBusy: parts.isBusy,
    });
    this.#renewal = new StreamRenewal(parts);
    this.#status = new PeerStatus(parts);
    this.#backoff = new Backoff({ maxMs: parts.options.reconnectMaxDelayMs });
    this.#dialler = new PeerDialler({
      wanted: () => this.#wanted(),
      dial: signal => this.#dial(signal),
      backoff: this.#backoff,
    });
  }

  get live(): PeerStream | undefined {
    return this.#live;
  }

  get entry(): PeerEntry {
    const live = this.#live;
    const { standing, liveness } = this.#status;
    return this.#line.of({
      standing,
      liveness,
      member: this.#parts.member(),
      stream: live,
      known: this.#introduction,
      said: live?.introduction ?? (this.#status.rests ? this.#introduction : undefined),
    });
  }

  /** Dials from now on, whenever that is wanted. */
  start(): void {
    this.#active = true;
    this.#dialler.wake();
  }

  /** Takes no new dial up any more. The live stream stays. */
  pause(): void {
    this.#active = false;
  }

  /** Forgets the backoff and dials now, where no stream is live. */
  wake(): void {
    this.#dialler.wake();
  }

  /** The addresses to dial are others now. */
  readdress(): void {
    if (this.#live === undefined) this.#dialler.restart();
    else this.consider();
  }

  /** Whether this node watches the member. Whoever calls this publishes how the link stands then. */
  watch(watches: boolean): void {
    const isNews = watches !== this.#interest.watches;
    this.#interest.watch(watches);
    if (isNews) this.#live?.watch(watches);
    if (this.#live === undefined) this.#withoutStream(isNews);
    else if (isNews && !watches) this.#interest.touch();
  }

  /** There is, or is to be, traffic with the member: its stream is dialled, and not idle for the idle timeout. */
  demand(): void {
    this.#interest.touch();
    if (this.#live !== undefined || this.#status.state !== 'idle') return;
    this.#withoutStream(true);
    this.#parts.changed();
  }

  /** Follows the channel, where that has another connection than the live stream. */
  follow(): void {
    if (this.#renewal.isOutOfMode(this.#live)) void this.#live?.retire('mode_changed');
    else if (this.#renewal.follow(this.#live)) this.#dialler.later();
  }

  /** To be called now and then: follows the channel where that was in vain before, and lets go of what nobody needs. */
  tend(): void {
    this.follow();
    if (this.#parts.member() === undefined || this.#interest.isWanted()) return;
    const live = this.#live;
    if (live?.direction === 'outbound' && !live.peerWatches) void live.close('idle');
    else if (live === undefined && this.#status.state !== 'idle' && !this.#isNeeded()) {
      this.#status.idle();
      this.#parts.changed();
    }
  }

  /** Something changed that may make a more secure stream possible. */
  consider(): void {
    if (this.#live !== undefined) this.#dialler.later();
  }

  /** Whether a new stream would stay. */
  wouldKeep(candidate: StreamFacts): boolean {
    return this.#live === undefined || chooseStream(this.#live, candidate) === candidate;
  }

  /** Makes `stream` the live one; a stream that was live before gets a goodbye. */
  adopt(stream: PeerStream): void {
    const old = this.#live;
    this.#live = stream;
    this.#hear(stream);
    this.#renewal.settle();
    stream.watch(this.#interest.watches);
    this.#status.connected(stream, old);
    this.#parts.changed();
    if (old !== undefined) {
      if (this.#hasLived(old)) this.#backoff.reset();
      this.#lost.superseded(old, stream);
    }
    this.consider();
  }

  /** Ends a stream that would not stay. */
  decline(frames: FrameStream, direction: 'inbound' | 'outbound'): void {
    this.#lost.declined(frames, direction, this.#live?.direction);
  }

  /** A frame came: a sign of life. */
  heard(stream: PeerStream): void {
    if (stream === this.#live && this.#status.heard()) this.#parts.changed();
  }

  /** Time has passed; true where the peer is suspect or dead for it. */
  tick(): boolean {
    return this.#status.tick();
  }

  /** The peer said something new of itself. */
  advertised(stream: PeerStream): void {
    if (stream !== this.#live) return;
    this.#hear(stream);
    this.#parts.changed();
  }

  /** The peer takes nothing new. */
  draining(stream: PeerStream): void {
    if (stream !== this.#live) return;
    this.#parts.connector.channel(this.name).pause();
    this.#status.draining();
    this.#parts.changed();
  }

  /** A stream of this pair is over. */
  ended(stream: PeerStream, closing: Closing): void {
    this.#lost.forget(stream);
    if (stream !== this.#live) return this.#status.lostStreamEnded(closing);
    const { reason, detail } = closing;
    this.#live = undefined;
    this.#renewal.settle();
    this.#status.disconnected(closing);
    if (this.#isNeeded()) this.#status.connecting(reason, detail);
    else this.#status.idle();
    this.#parts.changed();
    const lived = this.#hasLived(stream);
    if (lived) this.#backoff.reset();
    if (reason === 'idle' || (lived && !LEAVING.includes(reason))) this.#dialler.wake();
    else this.#dialler.later();
  }

  /** Ends the link for good. Resolves when the goodbye is sent. */
  async close(reason: Closing['reason'], detail = ''): Promise<void> {
    this.#active = false;
    this.#dialler.stop();
    await Promise.all([this.#live?.close(reason, detail), this.#lost.close()]);
  }

  /** That it shows another certificate is believed of a peer that has shown one, and once: what it says may be wrong. */
  #hear({ introduction, security }: PeerStream): void {
    const before = this.#introduction?.serverCertificateSha256;
    this.#introduction = introduction;
    const now = introduction.serverCertificateSha256;
    if (now === undefined || now === before || security.kind !== 'mutual_tls') return;
    this.#parts.connector.renewOthers(this.name, now);
  }

  #hasLived({ openedAtMs }: PeerStream): boolean {
    return performance.now() - openedAtMs >= this.#parts.options.heartbeatIntervalMs;
  }

  #wanted(): boolean {
    if (!this.#active || this.#parts.member() === undefined) return false;
    if (this.#live === undefined) return this.#isNeeded();
    return this.#renewal.isWanted(this.#live);
  }

  #isNeeded(): boolean {
    return this.#interest.isWanted() || this.#status.mayBeGone;
  }

  /** No stream is open: stands by whether one is wanted. @param atOnce dial it without the waits of before. */
  #withoutStream(atOnce: boolean): void {
    if (!this.#isNeeded()) return this.#status.idle();
    if (this.#status.state === 'idle') this.#status.connecting();
    if (atOnce) this.#dialler.wake();
  }

  async #dial(signal: AbortSignal): Promise<void> {
    if (this.#live !== undefined && !this.#renewal.isReady()) return;
    this.#onOutcome(await this.#parts.dial(signal), signal);
  }

  #onOutcome(outcome: DialOutcome, signal: AbortSignal): void {
    if (signal.aborted) {
      if (outcome.kind === 'welcomed') outcome.frames.cancel();
      return;
    }
    switch (outcome.kind) {
      case 'welcomed':
        return this.#parts.welcomed(outcome);
      case 'turned_away':
        this.#renewal.settle();
        if (this.#live !== undefined) return;
        this.#status.connecting(outcome.reason, outcome.detail);
        return this.#parts.changed();
      case 'refused':
        return this.#notConnected({ state: 'refused', ...outcome });
      case 'failed':
        return this.#notConnected({ state: 'unreachable', reason: undefined, detail: outcome.detail, by: undefined });
    }
  }

  #notConnected(problem: DialProblem): void {
    if (this.#live !== undefined) return this.#status.notRenewed(problem);
    this.#status.notConnected(problem);
    this.#parts.changed();
  }
}
