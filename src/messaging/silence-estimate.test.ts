import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SilenceEstimate } from './silence-estimate.ts';

const OPTIONS = { heartbeatIntervalMs: 1_000, heartbeatTimeoutMs: 6_000 };

function limitAfter(gaps: readonly number[], options: typeof OPTIONS = OPTIONS): number {
  const estimate = new SilenceEstimate(options);
  for (const gap of gaps) estimate.observe(gap);
  return estimate.limitMs;
}

const times = (count: number, ...gaps: readonly number[]) => Array.from({ length: count }, () => gaps).flat();

test('regular heartbeats get two intervals', () => {
  assert.equal(limitAfter([]), 2_000);
  assert.equal(limitAfter(times(1_000, 1_000)), 2_000);
});

test('jitter earns patience, and more of it more', () => {
  const jitter = limitAfter(times(50, 600, 1_400));
  assert.ok(jitter > 2_400, `${jitter}`);
  const more = limitAfter(times(50, 500, 2_500));
  assert.ok(more > jitter && more > 2_500, `${more}`);
});

test('one late heartbeat makes the next one like it no surprise, for a while', () => {
  const late = [...times(20, 1_000), 3_500];
  assert.ok(limitAfter(late) > 3_500);
  assert.ok(limitAfter([...late, ...times(5, 1_000)]) > 3_000);
  assert.equal(limitAfter([...late, ...times(200, 1_000)]), 2_000);
});

test('traffic between heartbeats takes no patience away', () => {
  const heartbeats = times(50, 600, 1_400);
  assert.equal(limitAfter([...heartbeats, ...times(10_000, 1)]), limitAfter(heartbeats));
});

test('patience ends before the heartbeat timeout, however late everything came', () => {
  assert.equal(limitAfter(times(100, 100_000)), 5_000);
  assert.equal(limitAfter(times(100, 100_000), { heartbeatIntervalMs: 5_000, heartbeatTimeoutMs: 6_000 }), 5_500);
  assert.equal(limitAfter([], { heartbeatIntervalMs: 5_000, heartbeatTimeoutMs: 6_000 }), 5_500);
});
