/** What ends when its time has come. The last three fields belong to {@link Deadlines}. */
export interface Expiring {
  /** By `performance.now()`. */
  expiresAtMs: number;
  expire(): void;
  earlier: Expiring | undefined;
  later: Expiring | undefined;
  line: DeadlineLine | undefined;
}

/** Those that expire equally long after they were added, so in the order in which they were. */
export interface DeadlineLine {
  readonly timeoutMs: number;
  first: Expiring | undefined;
  last: Expiring | undefined;
  timer: NodeJS.Timeout | undefined;
}

const FEW_LINES = 64;
/** Longest wait of a timer of Node. */
const MOST_WAIT_MS = 2 ** 31 - 1;

/**
 * Deadlines of very many things of which nearly all end before: to add and to remove one costs a few assignments, and
 * there is one timer for all that have the same timeout. Does not keep the process alive.
 *
 * D1. Nothing expires before its time, and later only by what the event loop is late.
 * D2. What was removed does not expire.
 * D3. Lines and timers are no more than twice what waits, and a few: whoever chooses timeouts may choose others each time.
 */
export class Deadlines {
  readonly #lines = new Map<number, DeadlineLine>();
  /** With so many lines those are looked for in which nothing waits. */
  #mostLines = FEW_LINES;

  /** How many timers there are. */
  get timers(): number {
    return this.#lines.size;
  }

  /** @param timeoutMs from now; whole milliseconds keep the number of timers small. */
  add(item: Expiring, timeoutMs: number): void {
    const line = this.#lines.get(timeoutMs) ?? this.#open(timeoutMs);
    item.expiresAtMs = performance.now() + timeoutMs;
    item.line = line;
    item.earlier = line.last;
    item.later = undefined;
    if (line.last === undefined) line.first = item;
    else line.last.later = item;
    line.last = item;
    if (line.timer === undefined) this.#arm(line, timeoutMs);
  }

  remove(item: Expiring): void {
    const { line, earlier, later } = item;
    if (line === undefined) return;
    item.line = item.earlier = item.later = undefined;
    if (earlier === undefined) line.first = later;
    else earlier.later = later;
    if (later === undefined) line.last = earlier;
    else later.earlier = earlier;
  }

  /** Nothing expires any more. */
  close(): void {
    for (const line of this.#lines.values()) clearTimeout(line.timer);
    this.#lines.clear();
  }

  #open(timeoutMs: number): DeadlineLine {
    if (this.#lines.size >= this.#mostLines) this.#closeEmpty();
    const line: DeadlineLine = { timeoutMs, first: undefined, last: undefined, timer: undefined };
    this.#lines.set(timeoutMs, line);
    return line;
  }

  #closeEmpty(): void {
    for (const line of this.#lines.values()) {
      if (line.first !== undefined) continue;
      clearTimeout(line.timer);
      this.#lines.delete(line.timeoutMs);
    }
    this.#mostLines = Math.max(FEW_LINES, 2 * this.#lines.size);
  }

  #arm(line: DeadlineLine, waitMs: number): void {
    const timerMs = Math.min(Math.max(Math.ceil(waitMs), 1), MOST_WAIT_MS);
    line.timer = setTimeout(() => this.#look(line), timerMs).unref();
  }

  #look(line: DeadlineLine): void {
    const now = performance.now();
    try {
      while (line.first !== undefined && line.first.expiresAtMs <= now) {
        const { first } = line;
        this.remove(first);
        first.expire();
      }
    } finally {
      // The others expire also where one of them threw.
      line.timer = undefined;
      const isOpen = this.#lines.get(line.timeoutMs) === line;
      if (isOpen && line.first !== undefined) this.#arm(line, line.first.expiresAtMs - now);
      else if (isOpen) this.#lines.delete(line.timeoutMs);
    }
  }
}
