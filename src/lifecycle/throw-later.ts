/**
 * Throws in a turn of its own what a callback threw, as if nobody had called it: nothing is hidden, and whoever called it
 * goes on.
 */
export function throwLater(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
