import type { LivenessReason } from '../errors/liveness-reason.ts';
import { Backoff } from '../lifecycle/backoff.ts';
import type { Logger } from '../telemetry/logger.ts';
import { chooseStream, type StreamFacts } from './choose-stream.ts';
import type { Closing } from './closing.ts';
import type { DialOutcome, Welcomed } from './dial-peer.ts';
import type { FrameStream } from './frame-stream.ts';
import type { Introduction } from './introduction.ts';
import { LostStreams } from './lost-streams.ts';
import { mayBeGone } from './member-liveness.ts';
import { PeerDialler } from './peer-dialler.ts';
import { PeerLiveness } from './peer-liveness.ts';
import {
  DEFAULT_HELLO_TIMEOUT_MS,
  type KnownMember,
  type PeerChannels,
  type PeerStreamsOptions,
} from './peer-parts.ts';
import { PeerStanding } from './peer-standing.ts';
import type { PeerStream } from './peer-stream.ts';
import { type PeerEntry, type PeerState, peerEntry } from './peer-table.ts';
import type { RunningClock } from './running-clock.ts';
import { StreamInterest } from './stream-interest.ts';
import { wouldDialTls } from './would-dial-tls.ts';

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
const LEAVING: readonly string[] = ['node_draining', 'node_closed', 'not_a_member'];

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
 * P4. A problem is logged when it is another than the last one, not at each try.
 */
export class PeerLink {
  readonly name: string;
  readonly #parts: PeerLinkParts;
  readonly #dialler: PeerDialler;
  readonly #backoff: Backoff;
  #live: PeerStream | undefined;
  readonly #lost: LostStreams;
  #introduction: Introduction | undefined;
  #renewal = false;
  readonly #interest: StreamInterest;
  /** The last stream ended because it was not needed, and no dial has failed since. */
  #rests = false;
  readonly #standing = new PeerStanding();
  readonly #liveness: PeerLiveness;
  #active = false;

  constructor(parts: PeerLinkParts) {
    this.name = parts.name;
    this.#parts = parts;
    this.#lost = new LostStreams(parts.options.helloTimeoutMs ?? DEFAULT_HELLO_TIMEOUT_MS);
    this.#interest = new StreamInterest({
      idleTimeoutMs: parts.options.idleTimeoutMs,
      isBusy: parts.isBusy,
    });
    this.#liveness = new PeerLiveness(parts);
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
    const said = live?.introduction ?? (this.#rests ? this.#introduction : undefined);
    const facts = { ...this.#standing.facts, liveness: this.#liveness.value };
    return peerEntry(this.name, facts, this.#parts.member(), live, this.#introduction, said?.labels);
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
    if (this.#live !== undefined || this.#standing.facts.state !== 'idle') return;
    this.#withoutStream(true);
    this.#parts.changed();
  }

  /** To be called now and then: follows the channel, and lets go of what nobody needs. */
  tend(): void {
    this.#follow();
    if (this.#parts.member() === undefined || this.#interest.isWanted()) return;
    const live = this.#live;
    if (live?.direction === 'outbound' && !live.peerWatches) void live.close('idle');
    else if (live === undefined && this.#standing.facts.state !== 'idle' && !this.#isNeeded()) this.#stand('idle');
  }

  /**
   * Where the channel to the peer moved to another connection (other credentials, another address), the stream that we
   * dialled follows it, before the old connection is cut.
   */
  #follow(): void {
    const live = this.#live;
    const now = this.#parts.connector.securityOf(this.name);
    if (live?.direction !== 'outbound' || now === undefined || now === live.security) return;
    if (live.security.kind === 'mutual_tls' && now.kind !== 'mutual_tls') return;
    this.#renewal = true;
    this.#dialler.later();
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
    this.#renewal = false;
    stream.watch(this.#interest.watches);
    const { generation, direction, security } = stream;
    this.#liveness.opened(generation);
    const facts = { node: this.name, direction, security: security.kind, generation, mode: stream.introduction.mode };
    const isNews = old === undefined || old.security.kind !== security.kind;
    if (isNews && !this.#rests) this.#parts.logger.info('peer.connected', facts);
    else if (isNews) this.#parts.logger.debug('peer.connected', facts);
    else this.#parts.logger.debug('peer.stream_replaced', facts);
    this.#rests = false;
    this.#stand('connected');
    if (old !== undefined) this.#supersede(old, stream);
    this.consider();
  }

  /** Ends a stream that would not stay. */
  decline(frames: FrameStream, direction: 'inbound' | 'outbound'): void {
    const end = () => {
      frames.send({ goodbye: { reason: 'duplicate_stream', detail: '' } });
      return frames.end();
    };
    if (direction === 'inbound' || this.#live?.direction === 'outbound') return void end();
    // The peer may hold this one for the live one until it has read the Welcome of that.
    frames.receive(() => {});
    void frames.ended.then(() => this.#lost.forget(frames));
    this.#lost.add(frames, end);
  }

  /** A frame came: a sign of life. */
  heard(stream: PeerStream): void {
    if (stream === this.#live && this.#liveness.heard()) this.#parts.changed();
  }

  /** Time has passed; true where the peer is suspect or dead for it. */
  tick(): boolean {
    return this.#liveness.tick();
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
    this.#parts.logger.info('peer.draining', { node: this.name });
    this.#liveness.draining();
    this.#stand('draining', 'node_draining');
  }

  /** A stream of this pair is over. */
  ended(stream: PeerStream, closing: Closing): void {
    const { reason, detail, by } = closing;
    const facts = { node: this.name, reason, detail, by };
    this.#lost.forget(stream);
    if (stream !== this.#live) return this.#parts.logger.debug('peer.stream_ended', facts);
    this.#live = undefined;
    this.#renewal = false;
    this.#rests = reason === 'idle';
    // Another stream of the pair is on its way, or the peer believes so; or none is needed.
    if (reason === 'duplicate_stream' || this.#rests) this.#parts.logger.debug('peer.disconnected', facts);
    else this.#parts.logger.info('peer.disconnected', facts);
    this.#liveness.ended(closing);
    if (!this.#isNeeded()) this.#stand('idle');
    else this.#stand('connecting', reason, detail);
    const lived = performance.now() - stream.openedAtMs >= this.#parts.options.heartbeatIntervalMs;
    if (lived) this.#backoff.reset();
    if (this.#rests || (lived && !LEAVING.includes(reason))) this.#dialler.wake();
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

  #supersede(old: PeerStream, winner: PeerStream): void {
    // Of another generation is another process: it will not hear of the winner and say goodbye itself.
    if (winner.generation !== old.generation)
      return void old.close(winner.generation > old.generation ? 'stale_generation' : 'duplicate_stream');
    this.#lost.add(old, () => old.close('duplicate_stream'));
    if (winner.direction === 'outbound') void old.retire('duplicate_stream');
  }

  #wanted(): boolean {
    if (!this.#active || this.#parts.member() === undefined) return false;
    if (this.#live === undefined) return this.#isNeeded();
    return this.#renewal || this.#wantsTls(this.#live);
  }

  #isNeeded(): boolean {
    return this.#interest.isWanted() || mayBeGone(this.#liveness.value.state);
  }

  #wantsTls({ security }: PeerStream): boolean {
    return (
      security.kind !== 'mutual_tls' && wouldDialTls(this.#parts.self().mode, this.#parts.member()?.addresses ?? [])
    );
  }

  /** No stream is open: stands by whether one is wanted. @param atOnce dial it without the waits of before. */
  #withoutStream(atOnce: boolean): void {
    if (!this.#isNeeded()) return this.#standing.set('idle');
    if (this.#standing.facts.state === 'idle') this.#standing.set('connecting');
    if (atOnce) this.#dialler.wake();
  }

  async #dial(signal: AbortSignal): Promise<void> {
    const { connector } = this.#parts;
    if (this.#live !== undefined && !this.#renewal && connector.securityOf(this.name)?.kind !== 'mutual_tls') {
      // The channel has not moved to TLS yet; a stream over it would be no better than the one there is.
      connector.channel(this.name).impatient.getConnectivityState(true);
      return;
    }
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
        this.#renewal = false;
        if (this.#live === undefined) this.#stand('connecting', outcome.reason, outcome.detail);
        return;
      case 'refused':
        return this.#problem('refused', outcome.reason, outcome.detail, outcome.by);
      case 'failed':
        return this.#problem('unreachable', undefined, outcome.detail, undefined);
    }
  }

  #problem(
    state: 'refused' | 'unreachable',
    reason: LivenessReason | undefined,
    detail: string,
    by: 'us' | 'peer' | undefined,
  ): void {
    if (this.#standing.isNews(`${state} ${reason} ${detail}`)) {
      this.#parts.logger.warn(`peer.${state}`, { node: this.name, reason, detail, by });
    }
    this.#rests = false;
    if (this.#live !== undefined) return;
    this.#liveness.notReached(reason ?? 'unreachable');
    this.#stand(state, reason, detail);
  }

  #stand(state: PeerState, reason?: string, detail?: string): void {
    this.#standing.set(state, reason, detail);
    this.#parts.changed();
  }
}
