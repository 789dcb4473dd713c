import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/kit/manual-clock.ts';
import { createLogger } from '../telemetry/logger.ts';
import { StandingOfSource } from './source-standing.ts';

test('a source that comes and goes is logged now and then, with how many lines were left out, and as it is in the end', () => {
  const { clock, standing, lines } = begin();
  for (let turn = 0; turn < 100; turn += 1) {
    standing.freeze('no answer');
    standing.recover();
  }
  assert.equal(lines.length, 10);
  standing.freeze('no leader');
  assert.deepEqual(standing.value.value.state, 'frozen', 'shown at once');
  clock.advanceTo(10_000);
  assert.deepEqual(lines.slice(10), [{ event: 'membership.frozen', problem: 'no leader', suppressed: 190 }]);
  standing.recover();
  assert.deepEqual(lines.slice(11), [{ event: 'membership.recovered' }]);
});

test('where it is in the end as it was logged last, nothing is logged, and the next line says how many were not', () => {
  const { clock, standing, lines } = begin();
  for (let turn = 0; turn < 6; turn += 1) {
    standing.freeze('no answer');
    standing.recover();
  }
  clock.advanceTo(60_000);
  assert.equal(lines.length, 10);
  standing.freeze('no answer');
  assert.deepEqual(lines.slice(10), [{ event: 'membership.frozen', problem: 'no answer', suppressed: 2 }]);
});

test('after the close nothing is logged', () => {
  const { clock, standing, lines } = begin();
  for (let turn = 0; turn < 11; turn += 1) standing.freeze(String(turn));
  standing.close();
  assert.equal(clock.timers, 0);
  assert.equal(lines.length, 10);
});

function begin() {
  const clock = new ManualClock(0);
  const lines: unknown[] = [];
  const logger = createLogger({
    write: line => {
      const { time: _time, level: _level, source, ...rest } = JSON.parse(line);
      assert.equal(source, 'etcd');
      lines.push(rest);
    },
  });
  return { clock, standing: new StandingOfSource('etcd', logger, clock), lines };
}
