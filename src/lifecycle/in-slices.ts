import { setImmediate as nextTurn } from 'node:timers/promises';

/** Long enough to be worth a turn, short enough that nobody who waits for one notices. */
const SLICE_MS = 4;

/**
 * Does something with each of `items`, as many in one turn of the event loop as fit into a few milliseconds, so that a
 * long list holds nobody up. The list is taken as it is now. Resolves when all are done; an `act` that throws rejects.
 */
export async function inSlices<T>(items: Iterable<T>, act: (item: T) => void): Promise<void> {
  let sliceEndsAt = performance.now() + SLICE_MS;
  for (const item of [...items]) {
    act(item);
    if (performance.now() < sliceEndsAt) continue;
    await nextTurn();
    sliceEndsAt = performance.now() + SLICE_MS;
  }
}
