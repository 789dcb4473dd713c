/** How long each of `count` runs of `action` took, one after the other, in milliseconds. */
export async function timeEach(count: number, action: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let run = 0; run < count; run += 1) {
    const startedAt = performance.now();
    await action();
    times.push(performance.now() - startedAt);
  }
  return times;
}

/** As {@link timeEach}, with `concurrency` runs under way at a time. */
export async function timeConcurrently(
  count: number,
  concurrency: number,
  action: () => Promise<unknown>,
): Promise<number[]> {
  const share = Math.ceil(count / concurrency);
  const times = await Promise.all(Array.from({ length: concurrency }, () => timeEach(share, action)));
  return times.flat();
}

/** CPU time of this process so far, in microseconds. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
