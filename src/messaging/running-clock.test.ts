import assert from 'node:assert/strict';
import { test } from 'node:test';
import { livenessClock } from './liveness-ticks.ts';
import { RunningClock } from './running-clock.ts';

test('a clock that is kept running goes with the time, and what a late tick lost is no time', () => {
  let real = 500;
  const clock = new RunningClock(100, () => real);
  assert.equal(clock.now(), 0);
  for (const step of [100, 100, 40, 60]) {
    real += step;
    if (step !== 40) clock.tick();
  }
  assert.equal(clock.now(), 300);
  real += 60_000;
  assert.equal(clock.now(), 400, 'no further than one tick while none comes');
  clock.tick();
  assert.equal(clock.now(), 400, 'which it never takes back');
  real += 30;
  assert.equal(clock.now(), 430);
});

test('a quarter of a heartbeat interval is a tick, unless that would be busy work', () => {
  assert.equal(livenessClock(5_000).tickMs, 1_250);
  assert.equal(livenessClock(25).tickMs, 10);
});
