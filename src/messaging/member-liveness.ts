import type { LivenessReason } from '../errors/liveness-reason.ts';
import type { EndReason } from '../errors/refusal-reason.ts';
import { type HeartbeatOptions, SilenceEstimate } from './silence-estimate.ts';

/**
 * `unknown`: never heard, or its stream was let go for want of traffic. `alive`: it was heard. `suspect`: it may be gone, or
 * came back and was not heard steadily yet. `draining`: it said that it takes nothing new. `dead`: it said goodbye, or
 * stayed away.
 */
export const LIVENESS_STATES = ['unknown', 'alive', 'suspect', 'draining', 'dead'] as const;

export type LivenessState = (typeof LIVENESS_STATES)[number];

/** Whether a member in that state may be gone. */
export function mayBeGone(state: LivenessState): boolean {
  return state === 'suspect' || state === 'dead';
}

export interface LivenessFacts {
  readonly state: LivenessState;
  readonly reason: LivenessReason;
  /** Of the process that was heard last; undefined where none was. */
  readonly generation: number | undefined;
}

/** Ends after which the peer is as well as before: another stream follows. */
const HARMLESS: readonly EndReason[] = ['duplicate_stream', 'credentials_rotated', 'address_changed', 'mode_changed'];

/** What a peer says that ends its process. */
const GOODBYES: readonly EndReason[] = ['node_draining', 'node_closed'];

/** How long a suspicion is remembered, in heartbeat timeouts. */
const MEMORY_TIMEOUTS = 16;
const MAX_SUSPICIONS = 10;

/**
 * Whether one peer lives, concluded from its stream alone. Nothing here waits or reads a clock: all times are passed in,
 * milliseconds that only grow, and `tick` has to be called now and then. Time in which this process itself did not run must
 * not be among them (`RunningClock`): it is no silence of others.
 *
 * L1. Who is silent for longer than {@link SilenceEstimate} permits, or whose stream broke, is suspect; suspect and without a
 *     stream is dead when nothing was heard for the heartbeat timeout. Nobody dies unsuspected but by its own goodbye.
 * L2. A suspect or dead process is alive again when it was heard without such a silence for two heartbeat intervals; each
 *     suspicion of the last sixteen heartbeat timeouts doubles that, so it is never longer than these. A process that is
 *     paused or starved again and again stays suspect, and does not flap. (Damping as of routes that flap, RFC 2439.)
 * L3. Another generation is another process: alive at once, whatever was thought of the one before.
 * L4. Who drains does so until its stream ends. A stream that another one follows, and one that is let go for want of
 *     traffic, are no reason for suspicion, and no way out of one.
 */
export class MemberLiveness {
  readonly #options: HeartbeatOptions;
  #facts: LivenessFacts = { state: 'unknown', reason: 'never_heard', generation: undefined };
  #estimate: SilenceEstimate;
  #isOpen = false;
  /** From when on silence counts: the last frame, or when somebody began to look. */
  #quietSinceMs = Number.NEGATIVE_INFINITY;
  /** From when on it was heard without a suspicious silence, while it is doubted. */
  #steadySinceMs: number | undefined;
  /** It was suspected and not heard steadily since. */
  #isDoubted = false;
  /** When the newest suspicions began. */
  #suspicions: readonly number[] = [];
  #lastEnd: EndReason | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#estimate = new SilenceEstimate(options);
  }

  /** Another object after each change. */
  get facts(): LivenessFacts {
    return this.#facts;
  }

  /** A stream of the peer is the one that counts now, also in the place of another one. */
  opened(generation: number, nowMs: number): void {
    const known = this.#facts.generation;
    this.#isOpen = true;
    const gapMs = this.#hear(nowMs);
    if (generation === known) return this.#stay(gapMs, nowMs);
    this.#estimate = new SilenceEstimate(this.#options);
    this.#suspicions = [];
    this.#trust(known === undefined ? 'connected' : 'restarted', generation);
  }

  /** A frame came over that stream. */
  heard(nowMs: number): void {
    const gapMs = this.#hear(nowMs);
    this.#stay(gapMs, nowMs);
    this.#estimate.observe(gapMs);
  }

  /** The peer said that it takes nothing new. */
  draining(): void {
    this.#set('draining', 'node_draining');
  }

  /** The stream is over, and no other has taken its place. `idle`: it was let go for want of traffic. */
  ended(reason: EndReason | 'idle', by: 'us' | 'peer', nowMs: number): void {
    this.#isOpen = false;
    this.#steadySinceMs = undefined;
    if (reason === 'idle') return this.#set('unknown', reason);
    this.#lastEnd = reason;
    if (HARMLESS.includes(reason)) return;
    if (!GOODBYES.includes(reason)) return this.#suspect(reason, nowMs);
    if (by === 'us') return;
    this.#isDoubted = true;
    this.#set('dead', reason);
  }

  /** There is no stream, and none could be opened. */
  notReached(reason: LivenessReason, nowMs: number): void {
    const { state, generation } = this.#facts;
    if (state === 'dead') return;
    if (generation === undefined) return this.#set('unknown', reason);
    if (state === 'unknown') this.#quietSinceMs = nowMs;
    this.#suspect(reason, nowMs);
  }

  /** Time has passed. */
  tick(nowMs: number): void {
    const quietMs = nowMs - this.#quietSinceMs;
    const { state, reason } = this.#facts;
    if (state === 'suspect') {
      if (!this.#isOpen && quietMs >= this.#options.heartbeatTimeoutMs) this.#set('dead', reason);
    } else if (state === 'alive' || (state === 'draining' && !this.#isOpen)) {
      if (quietMs <= this.#estimate.limitMs) return;
      this.#suspect(this.#isOpen ? 'silence' : (this.#lastEnd ?? 'silence'), nowMs);
    }
  }

  /** How long nothing was heard until now. */
  #hear(nowMs: number): number {
    const gapMs = nowMs - this.#quietSinceMs;
    this.#quietSinceMs = nowMs;
    return gapMs;
  }

  /** The process that is known was heard. */
  #stay(gapMs: number, nowMs: number): void {
    const { state } = this.#facts;
    if (state === 'alive' || state === 'draining') return;
    if (!this.#isDoubted) return this.#trust('connected', this.#facts.generation);
    if (state !== 'suspect') this.#set('suspect', 'recovering');
    if (this.#steadySinceMs === undefined || gapMs > this.#estimate.limitMs) this.#steadySinceMs = nowMs;
    else if (nowMs - this.#steadySinceMs >= this.#steadyMs(nowMs)) this.#trust('recovered', this.#facts.generation);
  }

  /** How long it has to be heard without a suspicious silence. */
  #steadyMs(nowMs: number): number {
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#options;
    const recent = this.#suspicions.filter(began => nowMs - began <= MEMORY_TIMEOUTS * heartbeatTimeoutMs).length;
    return heartbeatIntervalMs * 2 ** Math.max(1, recent);
  }

  #trust(reason: LivenessReason, generation: number | undefined): void {
    this.#isDoubted = false;
    this.#steadySinceMs = undefined;
    this.#facts = { state: 'alive', reason, generation };
  }

  #suspect(reason: LivenessReason, nowMs: number): void {
    if (!this.#isDoubted) this.#suspicions = [...this.#suspicions, nowMs].slice(-MAX_SUSPICIONS);
    this.#isDoubted = true;
    this.#set('suspect', reason);
  }

  #set(state: LivenessState, reason: LivenessReason): void {
    const { state: before, reason: why, generation } = this.#facts;
    if (state !== before || reason !== why) this.#facts = { state, reason, generation };
  }
}
