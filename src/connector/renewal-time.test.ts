import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renewalTime } from './renewal-time.ts';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;
const GRACE_MS = 5 * SECOND_MS;

const leadOf = (lifeMs: number, graceMs = GRACE_MS) => {
  const renewAtMs = renewalTime(HOUR_MS, HOUR_MS + lifeMs, graceMs);
  return renewAtMs === undefined ? undefined : HOUR_MS + lifeMs - renewAtMs;
};

test('a tenth of its time is left, at most a minute and at least twice the grace', () => {
  assert.equal(leadOf(5 * 60 * SECOND_MS), 30 * SECOND_MS);
  assert.equal(leadOf(24 * HOUR_MS), 60 * SECOND_MS);
  assert.equal(leadOf(60 * SECOND_MS), 2 * GRACE_MS);
});

test('to a server that has no later certificate yet it is renewed half-way again and again, until there is no time', () => {
  const renewals: number[] = [];
  let openedAtMs = 0;
  for (;;) {
    const renewAtMs = renewalTime(openedAtMs, 16 * SECOND_MS, GRACE_MS);
    if (renewAtMs === undefined) break;
    renewals.push(renewAtMs / SECOND_MS);
    openedAtMs = renewAtMs;
  }
  assert.deepEqual(renewals, [8, 12, 14, 15]);
});

test('what ends in a moment, or has ended, is not renewed', () => {
  for (const lifeMs of [1_999, 0, -HOUR_MS]) assert.equal(leadOf(lifeMs), undefined);
});
