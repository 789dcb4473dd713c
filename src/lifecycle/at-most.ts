import { setTimeout } from 'node:timers/promises';

/** Resolves when `work` has, at the latest after `timeoutMs`. Rejects where `work` does before that. */
export async function atMost(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  const waited = new AbortController();
  const timeout = setTimeout(timeoutMs, undefined, { signal: waited.signal }).catch(() => {});
  try {
    await Promise.race([work, timeout]);
  } finally {
    waited.abort();
  }
}
