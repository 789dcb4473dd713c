import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownGenerations } from './known-generations.ts';

const NOW = 1_800_000_000_000;

test('the newest generation counts, whatever came last', () => {
  const known = new KnownGenerations();
  assert.equal(known.newest('node-a'), undefined);
  known.remember('node-a', 5, NOW);
  known.remember('node-a', 3, NOW);
  assert.equal(known.newest('node-a'), 5);
  assert.equal(known.newest('node-b'), undefined);
});

test('a generation of the far future is not remembered, one of a clock that is ahead is', () => {
  const known = new KnownGenerations();
  known.remember('node-a', NOW + 2 * 86_400_000, NOW);
  assert.equal(known.newest('node-a'), undefined);
  known.remember('node-a', NOW + 3_600_000, NOW);
  assert.equal(known.newest('node-a'), NOW + 3_600_000);
});

test('members are never forgotten, of the others the oldest are', () => {
  const known = new KnownGenerations();
  for (let i = 0; i < 1_500; i += 1) known.remember(`node-${i}`, 1, NOW);
  known.trim(name => name === 'node-0');
  assert.equal(known.newest('node-0'), 1);
  assert.equal(known.newest('node-1'), undefined);
  assert.equal(known.newest('node-499'), undefined);
  assert.equal(known.newest('node-500'), 1);
});
