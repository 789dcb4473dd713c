import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atTime } from './at-time.ts';

test('it is called at its time and not before, even where a timer cannot hold the wait', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 0 });
  const called: number[] = [];
  const day = 24 * 3_600_000;
  atTime(60 * day, () => called.push(Date.now()));
  t.mock.timers.tick(59 * day);
  assert.deepEqual(called, []);
  t.mock.timers.tick(day);
  assert.deepEqual(called, [60 * day]);
  t.mock.timers.tick(60 * day);
  assert.equal(called.length, 1);
});

test('what has passed is called in a later turn', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 });
  let called = 0;
  atTime(0, () => called++);
  assert.equal(called, 0);
  t.mock.timers.tick(1);
  assert.equal(called, 1);
});

test('what was called off, and what never comes, is not called', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 0 });
  const fail = () => assert.fail('called');
  atTime(10, fail)();
  atTime(Number.POSITIVE_INFINITY, fail)();
  t.mock.timers.tick(20);
});
