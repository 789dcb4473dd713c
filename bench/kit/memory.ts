import { setTimeout as sleep } from 'node:timers/promises';

/** Memory of a process after garbage collection, in bytes. */
export interface Memory {
  /** Of objects of JavaScript. */
  readonly heap: number;
  /** Of the whole process, OpenSSL's included. */
  readonly resident: number;
}

/** That of this process, which a `Child` is. */
export async function readMemory(): Promise<Memory> {
  for (let pass = 0; pass < 4; pass += 1) {
    globalThis.gc?.();
    await sleep(50);
  }
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, resident: rss };
}
