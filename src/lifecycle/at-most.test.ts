import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atMost } from './at-most.ts';

test('what is done in time is waited for, and no longer', async () => {
  let isDone = false;
  const work = new Promise<void>(resolve => setImmediate(resolve)).then(() => {
    isDone = true;
  });
  await atMost(2 ** 30, work);
  assert.ok(isDone);
  // A timer that was left behind would show.
  assert.ok(!process.getActiveResourcesInfo().includes('Timeout'));
});

test('what is never done is waited for until the time is over', async () => {
  await atMost(1, new Promise(() => {}));
});

test('what fails in time says so', async () => {
  await assert.rejects(atMost(2 ** 30, Promise.reject(new Error('broken'))), /broken/);
});
