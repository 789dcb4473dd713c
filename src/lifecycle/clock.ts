/** Time that only goes forward, whatever happens to that of the system. */
export interface Clock {
  /** Milliseconds since some moment. */
  now(): number;
  /** Calls `act` once when `now` is that, or a moment later; never at once. Returns what calls it off. */
  at(atMs: number, act: () => void): () => void;
}

/** What a timer of Node can hold; beyond it would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** That of the process. Its timers do not keep the process alive. */
export const MONOTONIC_CLOCK: Clock = {
  now: () => performance.now(),
  at: (atMs, act) => {
    const timer = setTimeout(act, Math.min(Math.max(atMs - performance.now(), 0), MAX_TIMER_MS)).unref();
    return () => clearTimeout(timer);
  },
};
