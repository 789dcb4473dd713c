import { setTimeout as wait } from 'node:timers/promises';

const DEADLINE_MS = 30_000;

/** Waits for a condition; throws naming `what` when it does not come true within 30 s. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${DEADLINE_MS} ms`);
    await wait(5);
  }
}
