export interface StreamInterestParts {
  readonly idleTimeoutMs: number;
  /** Whether something is under way to the peer or from it, or waits for it. */
  readonly isBusy: () => boolean;
  /** Milliseconds that only grow. Default: those of the process. */
  readonly clock?: () => number;
}

/** Why this node wants a stream to one other node: it watches it, or there is traffic, and was within the idle timeout. */
export class StreamInterest {
  readonly #parts: StreamInterestParts;
  readonly #clock: () => number;
  #watches = false;
  #trafficUntilMs = Number.NEGATIVE_INFINITY;

  constructor(parts: StreamInterestParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? (() => performance.now());
  }

  get watches(): boolean {
    return this.#watches;
  }

  watch(watches: boolean): void {
    this.#watches = watches;
  }

  /** There is traffic now. */
  touch(): void {
    this.#trafficUntilMs = this.#clock() + this.#parts.idleTimeoutMs;
  }

  /** To be asked now and then: the idle timeout counts from when it last was busy. */
  isWanted(): boolean {
    if (this.#parts.isBusy()) this.touch();
    return this.#watches || this.#clock() < this.#trafficUntilMs;
  }
}
