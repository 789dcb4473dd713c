import { setTimeout as sleep } from 'node:timers/promises';

/** Long enough to be worth a turn, short enough that nobody who waits for one notices. */
const SLICE_MS = 2;
/** As long again for others: what the slices set off, such as handshakes, must not pile up behind them. */
const PAUSE_MS = SLICE_MS;

/**
 * Does something with each of `items`, as many in one turn of the event loop as fit into a few milliseconds, so that a
 * long list holds nobody up. The list is taken as it is now. Resolves when all are done; an `act` that throws rejects.
 */
export function inSlices<T>(items: Iterable<T>, act: (item: T) => void): Promise<void> {
  return finishInSlices(eachOf([...items], act));
}

/** As {@link inSlices}, of work that pauses after each of its steps. Resolves with what it returns. */
export async function finishInSlices<T>(steps: Generator<unknown, T, undefined>): Promise<T> {
  let sliceEndsAt = performance.now() + SLICE_MS;
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() < sliceEndsAt) continue;
    await sleep(PAUSE_MS);
    sliceEndsAt = performance.now() + SLICE_MS;
  }
}

function* eachOf<T>(items: readonly T[], act: (item: T) => void): Generator<undefined, void, undefined> {
  for (const item of items) {
    act(item);
    yield;
  }
}
