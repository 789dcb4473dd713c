/** Milliseconds, as those of a peer stream. */
export interface HeartbeatOptions {
  /** Longest time in which a side says nothing. */
  readonly heartbeatIntervalMs: number;
  /** Longest time in which the other side may say nothing; longer than the interval. */
  readonly heartbeatTimeoutMs: number;
}

/** How fast the deviation follows a gap that was longer than it, and one that was not: what was late once may be so again. */
const RISE = 1 / 4;
const FALL = 1 / 32;
const MEAN_GAIN = 1 / 8;
const DEVIATIONS = 4;

/**
 * How long a peer may be silent before that means something, learned from the gaps between its frames: their mean and
 * four deviations, smoothed as a TCP sender smooths its round trips (RFC 6298), within two bounds. At least two heartbeat
 * intervals, so that one late heartbeat is nothing; always less than the heartbeat timeout.
 */
export class SilenceEstimate {
  readonly #shortestGapMs: number;
  readonly #longestGapMs: number;
  readonly #floorMs: number;
  readonly #ceilingMs: number;
  #meanMs: number;
  #deviationMs = 0;

  constructor({ heartbeatIntervalMs, heartbeatTimeoutMs }: HeartbeatOptions) {
    this.#shortestGapMs = heartbeatIntervalMs / 2;
    this.#longestGapMs = heartbeatTimeoutMs;
    this.#ceilingMs = Math.max((heartbeatTimeoutMs * 5) / 6, (heartbeatIntervalMs + heartbeatTimeoutMs) / 2);
    this.#floorMs = Math.min(2 * heartbeatIntervalMs, this.#ceilingMs);
    this.#meanMs = heartbeatIntervalMs;
  }

  /** A frame came `gapMs` after the one before. Short gaps are traffic: they do not say how late a heartbeat may be. */
  observe(gapMs: number): void {
    if (gapMs < this.#shortestGapMs) return;
    const deviationMs = Math.min(gapMs, this.#longestGapMs) - this.#meanMs;
    const distanceMs = Math.abs(deviationMs) - this.#deviationMs;
    this.#deviationMs += distanceMs * (distanceMs > 0 ? RISE : FALL);
    this.#meanMs += deviationMs * MEAN_GAIN;
  }

  /** Silence for longer than this is suspicious. */
  get limitMs(): number {
    return Math.min(this.#ceilingMs, Math.max(this.#floorMs, this.#meanMs + DEVIATIONS * this.#deviationMs));
  }
}
