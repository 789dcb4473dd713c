import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { FacadeCall } from './facade-call.ts';
import { HeldCalls } from './held-calls.ts';

const { UNAVAILABLE, DEADLINE_EXCEEDED } = grpc.status;

test('a call whose patience ends fails as UNAVAILABLE with what it waited for', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const held = new HeldCalls(() => 'node-2 is not connected');
  const call = new HeldCall();
  held.add(call.call, 1_000);
  t.mock.timers.tick(999);
  assert.deepEqual([held.size, call.codes], [1, []]);
  t.mock.timers.tick(1);
  assert.deepEqual([held.size, call.codes], [0, [UNAVAILABLE]]);
});

test('a call whose own deadline comes first fails as DEADLINE_EXCEEDED, with a number or a date', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const held = new HeldCalls(() => '');
  const calls = [new HeldCall(Date.now() + 100), new HeldCall(new Date(Date.now() + 100))];
  for (const { call } of calls) held.add(call, 1_000);
  t.mock.timers.tick(99);
  assert.equal(held.size, 2);
  t.mock.timers.tick(1);
  for (const { codes } of calls) assert.deepEqual(codes, [DEADLINE_EXCEEDED]);
});

test('a call whose deadline has passed fails at once, and still not within add', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 10_000 });
  const held = new HeldCalls(() => '');
  const call = new HeldCall(9_000);
  held.add(call.call, 1_000);
  assert.deepEqual(call.codes, []);
  t.mock.timers.tick(1);
  assert.deepEqual(call.codes, [DEADLINE_EXCEEDED]);
});

test('released calls come in the order they were held, and time has no hold on them any more', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const held = new HeldCalls(() => '');
  const calls = [new HeldCall(), new HeldCall(), new HeldCall()];
  for (const { call } of calls) held.add(call, 1_000);
  assert.deepEqual(
    held.releaseAll(),
    calls.map(({ call }) => call),
  );
  t.mock.timers.tick(10_000);
  assert.equal(held.size, 0);
  for (const { codes } of calls) assert.deepEqual(codes, []);
});

test('a call leaves once', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const held = new HeldCalls(() => '');
  const { call, codes } = new HeldCall();
  held.add(call, 1_000);
  assert.equal(held.forget(call), true);
  assert.equal(held.forget(call), false);
  assert.deepEqual(held.releaseAll(), []);
  t.mock.timers.tick(10_000);
  assert.deepEqual(codes, []);
});

test('why a call was held is asked when it gives up, not when it came', t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  let why = 'nobody has dialled yet';
  const asked: string[] = [];
  const held = new HeldCalls(() => {
    asked.push(why);
    return why;
  });
  held.add(new HeldCall().call, 1_000);
  why = 'unknown_ca';
  t.mock.timers.tick(1_000);
  assert.deepEqual(asked, ['unknown_ca']);
});

class HeldCall {
  readonly codes: grpc.status[] = [];
  readonly call: FacadeCall;

  constructor(deadline: grpc.Deadline = Number.POSITIVE_INFINITY) {
    this.call = new FacadeCall(['/x/Y', deadline, null, null, null], { ended: (_call, code) => this.codes.push(code) });
  }
}
