import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from './backoff.ts';

const STEADY = { random: () => 0.5 };

test('waits grow by the factor up to the longest one and stay there', () => {
  const backoff = new Backoff({ ...STEADY, initialMs: 100, maxMs: 500, factor: 2 });
  assert.deepEqual(take(backoff, 5), [100, 200, 400, 500, 500]);
});

test('a reset makes the next wait the first one again', () => {
  const backoff = new Backoff({ ...STEADY, initialMs: 100, factor: 2 });
  take(backoff, 3);
  backoff.reset();
  assert.deepEqual(take(backoff, 2), [100, 200]);
});

test('the first wait is not longer than the longest one either', () => {
  assert.deepEqual(take(new Backoff({ ...STEADY, initialMs: 100, maxMs: 50 }), 2), [50, 50]);
});

test('by default waits begin at 100 ms, grow by 1.6 and end at 5 s', () => {
  const waits = take(new Backoff(STEADY), 12);
  assert.deepEqual(waits.slice(0, 4), [100, 160, 256, 410]);
  assert.equal(waits.at(-1), 5_000);
});

test('jitter moves a wait by up to its share both ways and does not add up', () => {
  const lowest = new Backoff({ initialMs: 1_000, maxMs: 1_000, jitter: 0.2, random: () => 0 });
  assert.deepEqual(take(lowest, 3), [800, 800, 800]);
  const highest = new Backoff({ initialMs: 1_000, maxMs: 1_000, jitter: 0.2, random: () => 1 });
  assert.deepEqual(take(highest, 3), [1_200, 1_200, 1_200]);
});

function take(backoff: Backoff, count: number): readonly number[] {
  return Array.from({ length: count }, () => backoff.nextMs());
}
