/**
 * Takes turns one at a time, in the order in which they were asked for, with a pause between two. The first is taken at
 * once. One that is asked for again before it came is taken once, as it was asked for last.
 */
export class PacedTurns {
  readonly #paceMs: number;
  readonly #waiting = new Map<string, () => void>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param paceMs milliseconds between two turns. */
  constructor(paceMs: number) {
    this.#paceMs = paceMs;
  }

  /** `turn` must not throw. */
  add(key: string, turn: () => void): void {
    if (this.#closed) return;
    this.#waiting.set(key, turn);
    if (this.#timer === undefined) this.#next();
  }

  /** Turns that did not come yet never come. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #next(): void {
    this.#timer = undefined;
    const [first] = this.#waiting;
    if (first === undefined) return;
    const [key, turn] = first;
    this.#waiting.delete(key);
    // Each timer is set by the one before: timers that are all set at once would all be due once the loop is late.
    this.#timer = setTimeout(() => this.#next(), this.#paceMs).unref();
    turn();
  }
}
