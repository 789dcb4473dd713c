/** How many bad tokens one connection may send at once, and how fast it gets another try. */
const BURST = 10;
const REFILL_MS = 1_000;

/**
 * The tries of one connection: each bad token costs one. Many that were looked at at the same time may cost more than
 * there are; then it waits the longer.
 */
export class FailureBudget {
  #tries = BURST;
  #countedAtMs: number;

  constructor(nowMs: number) {
    this.#countedAtMs = nowMs;
  }

  /** Whether a token that is not known to be good may be looked at. */
  isLeft(nowMs: number): boolean {
    const gained = Math.floor(Math.max(nowMs - this.#countedAtMs, 0) / REFILL_MS);
    this.#tries = Math.min(this.#tries + gained, BURST);
    this.#countedAtMs += gained * REFILL_MS;
    return this.#tries > 0;
  }

  spend(): void {
    this.#tries -= 1;
  }
}
