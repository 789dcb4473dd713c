const WINDOW_MS = 10_000;
const MAX_KINDS = 1_000;

interface Kind {
  readonly since: number;
  seen: number;
  suppressed: number;
}

/** Decides which of many alike events are worth a line. Memory is bounded; the oldest kind is forgotten first. */
export class Repeats {
  readonly #burst: number;
  readonly #kinds = new Map<string, Kind>();

  /** @param burst so many of a kind are said one by one in ten seconds. */
  constructor(burst = 5) {
    this.#burst = burst;
  }

  /** How many events a line of now stands for beside its own; undefined: no line now. */
  next(name: string, now: number): number | undefined {
    const known = this.#kinds.get(name);
    if (known === undefined || now - known.since >= WINDOW_MS) {
      this.#kinds.delete(name);
      this.#kinds.set(name, { since: now, seen: 1, suppressed: 0 });
      for (const oldest of this.#kinds.keys()) {
        if (this.#kinds.size <= MAX_KINDS) break;
        this.#kinds.delete(oldest);
      }
      return known?.suppressed ?? 0;
    }
    known.seen += 1;
    if (known.seen <= this.#burst) return 0;
    known.suppressed += 1;
    return undefined;
  }
}
