/** What a timer of Node can hold; beyond it would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls `act` once when the clock of the system shows `unixMs`, or a moment later; never at once, even where that has
 * passed. Never for infinity. Does not keep the process alive. Returns the function that calls it off.
 */
export function atTime(unixMs: number, act: () => void): () => void {
  if (unixMs === Number.POSITIVE_INFINITY) return () => {};
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    const leftMs = Math.max(unixMs - Date.now(), 0);
    timer = setTimeout(() => (Date.now() >= unixMs ? act() : wait()), Math.min(leftMs, MAX_TIMER_MS)).unref();
  };
  wait();
  return () => clearTimeout(timer);
}
