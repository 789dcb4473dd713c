import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expiryText, relativeTime } from './relative-time.ts';

const NOW = new Date('2030-01-01T00:00:00Z');
const at = (offsetMs: number) => NOW.getTime() + offsetMs;
const DAY_MS = 86_400_000;

test('a time is told in the largest unit that fits, rounded down', () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, 'now'],
    [999, 'now'],
    [1_000, 'in 1s'],
    [-59_999, '59s ago'],
    [-180_000, '3m ago'],
    [7_199_000, 'in 1h'],
    [29 * DAY_MS, 'in 29d'],
    [729 * DAY_MS, 'in 729d'],
    [730 * DAY_MS, 'in 2y'],
  ];
  for (const [offsetMs, expected] of cases) assert.equal(relativeTime(at(offsetMs), NOW), expected);
});

test('0 stands for never and is empty', () => {
  assert.equal(relativeTime(0, NOW), '');
  assert.equal(expiryText(0, NOW), '');
});

test('what has expired is said to have', () => {
  assert.equal(expiryText(at(29 * DAY_MS), NOW), 'expires in 29d');
  assert.equal(expiryText(at(-3 * DAY_MS), NOW), 'expired 3d ago');
  assert.equal(expiryText(at(0), NOW), 'expired now');
});
