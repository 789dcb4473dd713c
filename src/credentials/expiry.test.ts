import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginOfLevel, EXPIRY_LEVELS, type ExpiryLevel, expiryLevelAt, type Validity } from './expiry.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Ends when the year 2030 begins, its last second being the one before. */
const END_MS = Date.parse('2030-01-01T00:00:00Z');

const lasting = (lifetimeMs: number): Validity => ({
  notBefore: new Date(END_MS - lifetimeMs),
  notAfter: new Date(END_MS - SECOND_MS),
});

const CASES: readonly [string, number, Record<ExpiryLevel, number>][] = [
  ['a year', 365 * DAY_MS, { notice: 30 * DAY_MS, warning: 7 * DAY_MS, critical: DAY_MS, expired: 0 }],
  ['90 days', 90 * DAY_MS, { notice: 30 * DAY_MS, warning: 7 * DAY_MS, critical: DAY_MS, expired: 0 }],
  ['30 days', 30 * DAY_MS, { notice: 10 * DAY_MS, warning: 5 * DAY_MS, critical: DAY_MS, expired: 0 }],
  ['a day', DAY_MS, { notice: 8 * HOUR_MS, warning: 4 * HOUR_MS, critical: 2 * HOUR_MS, expired: 0 }],
  ['an hour', HOUR_MS, { notice: 20 * MINUTE_MS, warning: 10 * MINUTE_MS, critical: 5 * MINUTE_MS, expired: 0 }],
];

for (const [name, lifetimeMs, leftMs] of CASES) {
  test(`the levels of a certificate that lasts ${name}`, () => {
    const validity = lasting(lifetimeMs);
    let before: ExpiryLevel | undefined;
    for (const level of EXPIRY_LEVELS) {
      const beginMs = END_MS - leftMs[level];
      assert.equal(beginOfLevel(validity, level), beginMs);
      assert.equal(expiryLevelAt(validity, beginMs - 1), before, `just before ${level}`);
      assert.equal(expiryLevelAt(validity, beginMs), level);
      before = level;
    }
  });
}

test('the last second of a certificate counts to its end', () => {
  const validity = lasting(HOUR_MS);
  assert.equal(expiryLevelAt(validity, validity.notAfter.getTime() + 999), 'critical');
  assert.equal(expiryLevelAt(validity, validity.notAfter.getTime() + 1_000), 'expired');
});

test('what ends before it begins is expired from its end on, and nothing before', () => {
  const validity = { notBefore: new Date(END_MS), notAfter: new Date(END_MS - DAY_MS) };
  const endMs = END_MS - DAY_MS + SECOND_MS;
  assert.equal(expiryLevelAt(validity, endMs - 1), undefined);
  assert.equal(expiryLevelAt(validity, endMs), 'expired');
});
