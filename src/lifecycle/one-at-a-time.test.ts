import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { until } from '../../test/kit/until.ts';
import { OneAtATime } from './one-at-a-time.ts';

test('what is asked for while the task runs is one more run, after it', async () => {
  const log: string[] = [];
  const runs = new OneAtATime(
    async () => {
      log.push('begin');
      await turn();
      log.push('end');
    },
    () => assert.fail('nothing throws'),
  );
  runs.ask();
  await until('the first run', () => log.length > 0);
  for (let time = 0; time < 3; time++) runs.ask();
  await until('both runs', () => log.length >= 4);
  await turn();
  assert.deepEqual(log, ['begin', 'end', 'begin', 'end']);
});

test('a task that fails is told, and runs again', async () => {
  const errors: unknown[] = [];
  let runs = 0;
  const tasks = new OneAtATime(
    () => {
      runs += 1;
      throw new Error(`run ${runs}`);
    },
    error => errors.push((error as Error).message),
  );
  tasks.ask();
  await turn();
  tasks.ask();
  await turn();
  assert.deepEqual(errors, ['run 1', 'run 2']);
});

test('closing waits for the run and drops what was asked for besides', async () => {
  let begun = 0;
  let ended = 0;
  const runs = new OneAtATime(
    async () => {
      begun += 1;
      await turn();
      ended += 1;
    },
    () => {},
  );
  runs.ask();
  await Promise.resolve();
  runs.ask();
  await runs.close();
  runs.ask();
  await turn();
  assert.deepEqual([begun, ended], [1, 1]);
});
