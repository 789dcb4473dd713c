import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { FakeChannel } from '../../test/kit/fake-channel.ts';
import { watchByPolling } from './watch-by-polling.ts';

const { IDLE, READY } = grpc.connectivityState;

test('who waits is told of a change, once', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const channel = new FakeChannel();
  const told: unknown[] = [];
  watchByPolling(channel, IDLE, Number.POSITIVE_INFINITY, error => told.push(error));
  t.mock.timers.tick(5_000);
  assert.deepEqual(told, []);
  channel.state = READY;
  t.mock.timers.tick(20);
  t.mock.timers.tick(5_000);
  assert.deepEqual(told, [undefined]);
});

test('a state that is another one already is told soon, and not within the call', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const told: unknown[] = [];
  watchByPolling(new FakeChannel(), READY, Number.POSITIVE_INFINITY, error => told.push(error));
  assert.deepEqual(told, []);
  t.mock.timers.tick(1);
  assert.deepEqual(told, [undefined]);
});

for (const asDate of [false, true]) {
  test(`at its deadline, a ${asDate ? 'date' : 'number'}, the wait ends with an error`, t => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 });
    const told: unknown[] = [];
    watchByPolling(new FakeChannel(), IDLE, asDate ? new Date(1_100) : 1_100, error => told.push(error));
    t.mock.timers.tick(90);
    assert.deepEqual(told, []);
    t.mock.timers.tick(30);
    assert.match(String(told[0]), /Deadline passed/);
    t.mock.timers.tick(1_000);
    assert.equal(told.length, 1);
  });
}

test('a change at the deadline is a change', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 });
  const channel = new FakeChannel();
  const told: unknown[] = [];
  watchByPolling(channel, IDLE, 1_000, error => told.push(error));
  channel.state = READY;
  t.mock.timers.tick(1);
  assert.deepEqual(told, [undefined]);
});
