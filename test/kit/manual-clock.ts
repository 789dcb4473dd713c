/** Time that stands still until it is moved. */
export class ManualClock {
  #nowMs: number;
  readonly #waiting = new Set<{ readonly atMs: number; readonly act: () => void }>();

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  at(atMs: number, act: () => void): () => void {
    if (atMs === Number.POSITIVE_INFINITY) return () => {};
    const timer = { atMs, act };
    this.#waiting.add(timer);
    return () => void this.#waiting.delete(timer);
  }

  /** How many wait for a time to come. */
  get timers(): number {
    return this.#waiting.size;
  }

  /** Everything that waits for a time until then happens at its time, in order. */
  advanceTo(nowMs: number): void {
    for (;;) {
      const [next] = [...this.#waiting].filter(({ atMs }) => atMs <= nowMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#waiting.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.act();
    }
    this.#nowMs = nowMs;
  }
}
