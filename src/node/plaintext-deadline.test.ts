import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeSettings } from '../../test/kit/tls-settings.ts';
import { announcementAt, effectiveSettings, nextStepOf, sameObstacles } from './plaintext-deadline.ts';

const HOUR = 3_600_000;
const DEADLINE = 1_000 * 24 * HOUR;

test('a deadline is announced a week, a day and an hour before', () => {
  const at = (leftHours: number) => (announcementAt(DEADLINE, DEADLINE - leftHours * HOUR) ?? 0) / HOUR;
  assert.deepEqual([200, 168, 25, 24, 2, 1, 0.1, 0, -1].map(at), [0, 168, 168, 24, 24, 1, 1, 0, 0]);
});

test('from each step the next one is known, and after the deadline there is none', () => {
  const steps: number[] = [];
  for (let now = 0; ; ) {
    now = nextStepOf(DEADLINE, now);
    if (now === Number.POSITIVE_INFINITY) break;
    steps.push((DEADLINE - now) / HOUR);
  }
  assert.deepEqual(steps, [168, 24, 1, 0]);
});

test('a node is strict by its deadline when it turned after that very one, and only in optional', () => {
  const tls = (mode: 'optional' | 'strict', plaintextDeadline?: Date) => nodeSettings({ mode, plaintextDeadline });
  const configured = tls('optional', new Date(DEADLINE));
  const turned = effectiveSettings(configured, DEADLINE);
  assert.deepEqual([turned.mode, turned.tls?.mode], ['strict', 'strict']);
  assert.deepEqual({ ...turned, mode: 'optional', tls: { ...turned.tls, mode: 'optional' } }, configured);
  for (const other of [undefined, DEADLINE + 1]) assert.equal(effectiveSettings(configured, other), configured);
  const without = tls('optional');
  assert.equal(effectiveSettings(without, DEADLINE), without);
  const strict = tls('strict', new Date(DEADLINE));
  assert.equal(effectiveSettings(strict, DEADLINE), strict);
});

test('obstacles that differ in counts alone are no news', () => {
  assert.ok(sameObstacles(['3 plaintext connection(s) are open'], ['4 plaintext connection(s) are open']));
  assert.ok(!sameObstacles(['node-2 is connected without mutual TLS.'], ['node-3 is connected without mutual TLS.']));
  assert.ok(!sameObstacles(['a'], ['a', 'b']));
});
