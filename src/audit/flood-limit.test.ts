import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FloodLimit } from './flood-limit.ts';

test('one source gets what it may have in a second, and as much again in each that follows', () => {
  const limit = new FloodLimit({ perSecond: 100, perSecondPerSource: 3 });
  assert.equal(taken(limit, 'a', 10, 0), 3);
  assert.equal(taken(limit, 'a', 10, 333), 0);
  assert.equal(taken(limit, 'a', 10, 334), 1);
  assert.equal(taken(limit, 'a', 10, 60_000), 3, 'what was not used does not pile up');
});

test('one source does not use up what the others may have', () => {
  const limit = new FloodLimit({ perSecond: 10, perSecondPerSource: 4 });
  assert.equal(taken(limit, 'a', 1_000, 0), 4);
  assert.equal(taken(limit, 'b', 1_000, 0), 4);
  assert.equal(taken(limit, 'c', 1_000, 0), 2, 'all together have a limit too');
});

test('more sources than are remembered are still held by the limit of all', () => {
  const limit = new FloodLimit({ perSecond: 50, perSecondPerSource: 20 });
  let through = 0;
  for (let round = 0; round < 3; round += 1)
    for (let source = 0; source < 2_000; source += 1) through += taken(limit, `host ${source}`, 1, 0);
  assert.equal(through, 50);
});

test('a clock that was put back gives nothing and shuts nobody out', () => {
  const limit = new FloodLimit({ perSecond: 5, perSecondPerSource: 5 });
  assert.equal(taken(limit, 'a', 10, 1_000_000), 5);
  assert.equal(taken(limit, 'a', 10, 0), 0);
  assert.equal(taken(limit, 'a', 10, 1_000), 5);
});

function taken(limit: FloodLimit, source: string, times: number, nowMs: number): number {
  return Array.from({ length: times }, () => limit.take(source, nowMs)).filter(Boolean).length;
}
