import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Repeats } from './repeats.ts';

test('a flood is a few lines, and the next window says how many lines were left out', () => {
  const repeats = new Repeats();
  const lines = Array.from({ length: 100 }, (_, index) => repeats.next('a', index)).filter(line => line !== undefined);
  assert.deepEqual(lines, [0, 0, 0, 0, 0]);
  assert.equal(repeats.next('b', 100), 0, 'another kind is not held back');
  assert.equal(repeats.next('a', 10_000), 95);
  assert.equal(repeats.next('a', 10_001), 0);
});
