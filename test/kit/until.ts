import { setTimeout as wait } from 'node:timers/promises';

const DEADLINE_MS = 30_000;

/** Waits for a condition; throws naming `what` when it does not come true in time. Default 30 s. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs: number = DEADLINE_MS,
): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await wait(5);
  }
}
