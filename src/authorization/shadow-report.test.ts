import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Divergence, divergenceOf, ShadowReport } from './shadow-report.ts';

const denied = (changes: Partial<Divergence> = {}): Divergence => ({
  principal: 'spiffe://dev/app',
  method: '/a.Orders/Place',
  decision: 'would_deny',
  rule: '',
  ...changes,
});

test('calls that diverge alike are one entry with its first and last time, the most frequent first', () => {
  const report = new ShadowReport(0);
  report.count(undefined, 1);
  report.count(denied({ decision: 'would_allow', rule: 'wide' }), 2);
  for (const at of [3, 4, 5]) report.count(denied(), at);
  assert.deepEqual(
    report.entries.map(({ count, firstAtMs, lastAtMs, rule }) => [count, firstAtMs, lastAtMs, rule]),
    [
      [3, 3, 5, ''],
      [1, 2, 2, 'wide'],
    ],
  );
  assert.deepEqual([report.calls, report.wouldDeny, report.wouldAllow, report.overflow], [5, 3, 1, 0]);
});

test('what finds no room is counted and takes none', () => {
  const report = new ShadowReport(0);
  for (let caller = 0; caller < 1_500; caller++) report.count(denied({ principal: `CN=${caller}` }), 1);
  report.count(denied({ principal: 'CN=0' }), 2);
  assert.deepEqual(
    [report.entries.length, report.overflow, report.wouldDeny, report.calls],
    [1_000, 500, 1_501, 1_501],
  );
  assert.equal(report.entries[0]?.count, 2);
});

test('a name that is too long is cut', () => {
  const report = new ShadowReport(0);
  report.count(denied({ principal: 'x'.repeat(10_000) }), 1);
  assert.equal(report.entries[0]?.principal.length, 256);
});

test('only what the other policy would turn around is a divergence', () => {
  const decision = (allowed: boolean) => ({ allowed, policy: 'p', rule: '' });
  assert.equal(divergenceOf(decision(true), decision(false)), 'would_deny');
  assert.equal(divergenceOf(decision(false), decision(true)), 'would_allow');
  assert.equal(divergenceOf(decision(true), decision(true)), undefined);
  assert.equal(divergenceOf(decision(false), decision(false)), undefined);
});
