import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inParallel } from './in-parallel.ts';

test('so many at once and no more, and the results in the order of the items', async () => {
  let running = 0;
  let most = 0;
  const results = await inParallel([5, 1, 4, 2, 3], 2, async item => {
    running += 1;
    most = Math.max(most, running);
    for (let turn = 0; turn < item; turn += 1) await undefined;
    running -= 1;
    return item * 10;
  });
  assert.deepEqual([results, most], [[50, 10, 40, 20, 30], 2]);
  assert.deepEqual(await inParallel([], 2, async () => 1), []);
});

test('after a failure nothing more begins', async () => {
  const begun: number[] = [];
  const failing = inParallel([1, 2, 3, 4, 5, 6], 2, async item => {
    begun.push(item);
    await undefined;
    if (item === 1) throw new Error('no');
  });
  await assert.rejects(failing, /no/);
  await new Promise(resolve => setImmediate(resolve));
  assert.ok(begun.length < 6, String(begun));
});
