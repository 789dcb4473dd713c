import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finishInSlices, inSlices } from './in-slices.ts';

function busyFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('every item is visited once, in order, with turns of the event loop between', async () => {
  const visited: number[] = [];
  let turns = 0;
  const count = setInterval(() => turns++, 1);
  await inSlices([1, 2, 3, 4, 5, 6], item => {
    busyFor(5);
    visited.push(item);
  });
  clearInterval(count);
  assert.deepEqual(visited, [1, 2, 3, 4, 5, 6]);
  assert.ok(turns >= 3, `${turns} turns`);
});

test('the list is the one there was at the beginning', async () => {
  const items = new Set([1, 2]);
  const visited: number[] = [];
  await inSlices(items, item => {
    visited.push(item);
    items.add(item + 10);
  });
  assert.deepEqual(visited, [1, 2]);
});

test('what throws rejects', async () => {
  await assert.rejects(
    inSlices([1], () => {
      throw new Error('no');
    }),
    /no/,
  );
});

test('steps are finished with turns between, for what they return, and what they throw rejects', async () => {
  let turns = 0;
  const count = setInterval(() => turns++, 1);
  const result = await finishInSlices(
    (function* () {
      for (let step = 0; step < 6; step += 1) {
        busyFor(5);
        yield;
      }
      return 'done';
    })(),
  );
  clearInterval(count);
  assert.equal(result, 'done');
  assert.ok(turns >= 3, `${turns} turns`);
  const failing = (function* () {
    yield;
    throw new Error('no');
  })();
  await assert.rejects(finishInSlices(failing), /no/);
});
