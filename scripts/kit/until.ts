import { setTimeout as wait } from 'node:timers/promises';

/** How long one condition may take on a slow machine. */
const PATIENCE_MS = 90_000;

/** Waits for a condition; throws naming `what` when it does not come true within 90 s. */
export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    // A node that restarts does not answer; it is asked again.
    if (await condition().catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`waited ${PATIENCE_MS} ms for ${what}`);
    await wait(50);
  }
}
