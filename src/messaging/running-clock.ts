/**
 * A clock that stands still while this process does not run: stopped, starved of CPU, its event loop blocked. What was not
 * heard in that time is no silence of others. Local health, as of Lifeguard (Dadgar, Phillips, Currey: "Lifeguard: Local
 * Health Awareness for More Accurate Failure Detection", 2018).
 *
 * It never shows more than one tick beyond the last one; a tick that comes late has lost what lies between.
 */
export class RunningClock {
  /** How often `tick` has to be called. */
  readonly tickMs: number;
  readonly #real: () => number;
  #atLastTickMs = 0;
  #realAtLastTickMs: number;

  /** @param real milliseconds that only grow. Default: those of the process. */
  constructor(tickMs: number, real: () => number = () => performance.now()) {
    this.tickMs = tickMs;
    this.#real = real;
    this.#realAtLastTickMs = real();
  }

  /** Milliseconds that this process has run. */
  now(): number {
    return this.#atLastTickMs + Math.min(this.#real() - this.#realAtLastTickMs, this.tickMs);
  }

  tick(): void {
    this.#atLastTickMs = this.now();
    this.#realAtLastTickMs = this.#real();
  }
}
