/** How waits between tries grow. Waits in milliseconds. */
export interface BackoffOptions {
  /** Wait before the second try. Default 100. */
  readonly initialMs?: number;
  /** No wait is longer than this (before jitter). Default 5,000. */
  readonly maxMs?: number;
  /** Each wait is this many times the one before. Default 1.6, as gRPC's connection backoff has it. */
  readonly factor?: number;
  /** Each wait is changed by up to this share, both ways. Default 0.2. */
  readonly jitter?: number;
  /** Source of chance in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

/** Exponential backoff with jitter (gRPC connection backoff protocol). One per thing that is tried again. */
export class Backoff {
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #factor: number;
  readonly #jitter: number;
  readonly #random: () => number;
  #nextMs: number;

  constructor(options: BackoffOptions = {}) {
    this.#maxMs = options.maxMs ?? 5_000;
    this.#initialMs = Math.min(options.initialMs ?? 100, this.#maxMs);
    this.#factor = options.factor ?? 1.6;
    this.#jitter = options.jitter ?? 0.2;
    this.#random = options.random ?? Math.random;
    this.#nextMs = this.#initialMs;
  }

  /** The wait before the next try, in whole milliseconds. */
  nextMs(): number {
    const base = this.#nextMs;
    this.#nextMs = Math.min(base * this.#factor, this.#maxMs);
    return Math.round(base * (1 + this.#jitter * (2 * this.#random() - 1)));
  }

  /** Call after a success: the next wait is the initial one again. */
  reset(): void {
    this.#nextMs = this.#initialMs;
  }
}
