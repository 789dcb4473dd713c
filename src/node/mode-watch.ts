import { messageOf } from '../errors/selvedge-error.ts';
import { atTime } from '../lifecycle/at-time.ts';
import type { MutableValue } from '../lifecycle/observable-value.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { ModeState } from './mode-state.ts';
import type { NodeSettings } from './node-settings.ts';
import { announcementAt, deadlineOf, nextStepOf, sameObstacles } from './plaintext-deadline.ts';

/** How often the mode optional is told of. */
export const NAG_INTERVAL_MS: number = 24 * 3_600_000;
/** How often a node that is held in optional after its deadline looks again, beside each change of its peers. */
const HELD_INTERVAL_MS = 5_000;
const SOON_MS = 200;

export interface ModeWatchParts {
  /** As the configuration says, now. */
  readonly configured: () => NodeSettings;
  readonly state: MutableValue<ModeState>;
  /** What stands in the way of strict, and holds the deadline. */
  readonly obstacles: () => readonly string[];
  /** The same of others than members: told, and no reason to wait, or anybody could hold the node in optional. */
  readonly clients: () => readonly string[];
  /** Members whose stream is not mutual TLS now. */
  readonly plaintextPeers: () => readonly string[];
  /** Makes what the configuration and the state say hold. Rejects when it cannot. */
  readonly turn: () => Promise<void>;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'optionalSince' | 'plaintextDeadline' | 'strictObstacles' | 'plaintextCalls'>;
  readonly clock?: { now(): number; at(unixMs: number, act: () => void): () => void };
}

/**
 * Sees to it that `optional` stays a transition.
 *
 * O1. A node that is left in it says so when it starts or turns to it, and every 24 hours: since when, what was spoken in
 *     plaintext, and what stands in the way of strict.
 * O2. A `plaintext-deadline` is announced 7 days, a day and an hour before. When it has passed, and nothing stands in the
 *     way, the node turns strict; else it says what holds it, once for each change, and looks again.
 * O3. Having turned is remembered for that very deadline; another one in the configuration begins anew.
 */
export class ModeWatch {
  readonly #parts: ModeWatchParts;
  readonly #clock: NonNullable<ModeWatchParts['clock']>;
  readonly #seen = new Set<string>();
  #callsTold = 0;
  #stopWaiting: () => void = () => {};
  #stopSoon: () => void = () => {};
  #nextNagMs = 0;
  #announced: string | undefined;
  #held: readonly string[] | undefined;
  #notices: readonly string[] = [];
  /** Why it could not turn the last time, and when to try again. */
  #failure: { readonly problem: string; readonly retryMs: number } | undefined;
  #soon = false;
  #isClosed = false;

  constructor(parts: ModeWatchParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? { now: () => Date.now(), at: atTime };
  }

  /** For the status of the node. */
  get notices(): readonly string[] {
    return this.#notices;
  }

  /** To be called at the start, and whenever configuration, peers or members have changed. */
  look(): void {
    if (this.#isClosed) return;
    this.#stopWaiting();
    const configured = this.#parts.configured();
    const deadlineMs = deadlineOf(configured);
    this.#parts.metrics.plaintextDeadline.set((deadlineMs ?? 0) / 1_000);
    this.#forgetOther(deadlineMs);
    if (configured.mode === 'optional') this.#lookInOptional(deadlineMs);
    else this.#leaveOptional();
  }

  /** As `look`, once for all that changes within a moment. */
  lookSoon(): void {
    if (this.#soon || this.#isClosed || this.#parts.configured().mode !== 'optional') return;
    this.#soon = true;
    this.#stopSoon = this.#clock.at(this.#clock.now() + SOON_MS, () => {
      this.#soon = false;
      this.look();
    });
  }

  close(): void {
    this.#stopSoon();
    this.#isClosed = true;
    this.#stopWaiting();
  }

  #lookInOptional(deadlineMs: number | undefined): void {
    const now = this.#clock.now();
    const { state, metrics, plaintextPeers } = this.#parts;
    const sinceMs = state.value.optionalSinceMs ?? now;
    if (state.value.optionalSinceMs === undefined) state.set({ ...state.value, optionalSinceMs: sinceMs });
    metrics.optionalSince.set(sinceMs / 1_000);
    if (this.#hasTurned(deadlineMs)) return this.#rest(deadlineMs);
    for (const name of plaintextPeers()) this.#seen.add(name);
    const failure = this.#failure !== undefined && now < this.#failure.retryMs ? [this.#failure.problem] : [];
    const obstacles = [...this.#parts.obstacles(), ...failure];
    const all = [...obstacles, ...this.#parts.clients()];
    metrics.strictObstacles.set(all.length);
    if (now >= this.#nextNagMs) this.#nag(sinceMs, deadlineMs, all, now);
    const isPast = deadlineMs !== undefined && now >= deadlineMs;
    if (deadlineMs !== undefined && !isPast) this.#announce(deadlineMs, now);
    if (isPast && obstacles.length === 0) return void this.#turn(deadlineMs);
    if (isPast) this.#hold(deadlineMs, obstacles);
    this.#notices = [
      `the mode is optional since ${iso(sinceMs)}, which is no protection against an active attacker`,
      ...(deadlineMs === undefined || isPast ? [] : [`plaintext is refused from ${iso(deadlineMs)} on`]),
      ...(isPast ? obstacles.map(text => `plaintext-deadline ${iso(deadlineMs)} has passed, but: ${text}`) : []),
    ];
    const nextLook = isPast ? now + HELD_INTERVAL_MS : nextStepOf(deadlineMs ?? Number.POSITIVE_INFINITY, now);
    this.#stopWaiting = this.#clock.at(Math.min(nextLook, this.#nextNagMs), () => this.look());
  }

  /** `mode.optional` */
  #nag(sinceMs: number, deadlineMs: number | undefined, obstacles: readonly string[], now: number): void {
    this.#nextNagMs = now + NAG_INTERVAL_MS;
    const plaintextPeers = this.#seen.size;
    this.#seen.clear();
    void this.#parts.metrics.plaintextCalls.get().then(({ values }) => {
      const calls = values[0]?.value ?? 0;
      this.#parts.logger.warn('mode.optional', {
        since: iso(sinceMs),
        forHours: Math.floor((now - sinceMs) / 3_600_000),
        plaintextPeers,
        plaintextCalls: calls - this.#callsTold,
        obstacles,
        deadline: deadlineMs === undefined ? undefined : iso(deadlineMs),
      });
      this.#callsTold = calls;
    });
  }

  #announce(deadlineMs: number, now: number): void {
    const leftMs = announcementAt(deadlineMs, now);
    const announcement = `${deadlineMs} ${leftMs}`;
    if (leftMs === undefined || this.#announced === announcement) return;
    this.#announced = announcement;
    const hoursLeft = Math.ceil((deadlineMs - now) / 3_600_000);
    const obstacles = [...this.#parts.obstacles(), ...this.#parts.clients()];
    this.#parts.logger.warn('mode.plaintext_deadline_near', { deadline: iso(deadlineMs), hoursLeft, obstacles });
  }

  #hold(deadlineMs: number, obstacles: readonly string[]): void {
    if (this.#held !== undefined && sameObstacles(this.#held, obstacles)) return;
    this.#held = obstacles;
    this.#parts.logger.warn('mode.plaintext_deadline_held', { deadline: iso(deadlineMs), obstacles });
  }

  async #turn(deadlineMs: number): Promise<void> {
    const { state, logger, turn } = this.#parts;
    state.set({ ...state.value, turnedAfterMs: deadlineMs });
    try {
      await turn();
      this.#held = undefined;
      this.#failure = undefined;
      if (this.#hasTurned(deadlineMs)) logger.warn('mode.plaintext_deadline_passed', { deadline: iso(deadlineMs) });
    } catch (error) {
      state.set({ ...state.value, turnedAfterMs: undefined });
      this.#failure = { problem: messageOf(error), retryMs: this.#clock.now() + HELD_INTERVAL_MS };
    }
    this.look();
  }

  /** It has turned: nothing more to do until the configuration changes. */
  #rest(deadlineMs: number | undefined): void {
    this.#parts.metrics.strictObstacles.set(0);
    const passed = deadlineMs === undefined ? '' : iso(deadlineMs);
    this.#notices = [`plaintext-deadline ${passed} has passed: this node is strict; write mode = "strict"`];
  }

  #leaveOptional(): void {
    const { state, metrics } = this.#parts;
    this.#notices = [];
    this.#nextNagMs = 0;
    this.#held = undefined;
    metrics.optionalSince.set(0);
    metrics.strictObstacles.set(0);
    if (state.value.optionalSinceMs !== undefined) state.set({ ...state.value, optionalSinceMs: undefined });
  }

  #hasTurned(deadlineMs: number | undefined): boolean {
    return deadlineMs !== undefined && this.#parts.state.value.turnedAfterMs === deadlineMs;
  }

  /** The configuration has moved or removed the deadline after which this node turned. */
  #forgetOther(deadlineMs: number | undefined): void {
    const { state } = this.#parts;
    if (state.value.turnedAfterMs === undefined || state.value.turnedAfterMs === deadlineMs) return;
    state.set({ ...state.value, turnedAfterMs: undefined });
    this.#nextNagMs = 0;
    this.#held = undefined;
  }
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
