import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { FakeCall } from '../../test/kit/fake-channel.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { constant } from '../lifecycle/observable-value.ts';
import type { Call, CallArguments } from '../rpc/grpc-call.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { PickingChannel } from './picking-channel.ts';
import { StableChannel } from './stable-channel.ts';

const { IDLE, READY, SHUTDOWN } = grpc.connectivityState;
const ARGUMENTS: CallArguments = ['/x/Y', Number.POSITIVE_INFINITY, null, null, null];

test('calls go to the ready members in turn, each as often as the others', t => {
  const members = ['a', 'b', 'c'].map(name => stub(t, name));
  const channel = picking({ ready: members });
  for (let call = 0; call < 9; call += 1) channel.createCall(...ARGUMENTS);
  assert.deepEqual(
    members.map(member => member.taken()),
    [3, 3, 3],
  );
});

test('members get calls by their weight', t => {
  const [light, heavy] = [stub(t, 'a'), stub(t, 'b', 3)];
  const channel = picking({ ready: [light, heavy] });
  for (let call = 0; call < 8; call += 1) channel.createCall(...ARGUMENTS);
  assert.deepEqual([light.taken(), heavy.taken()], [2, 6]);
});

test('members that are not ready get no call while another one is', t => {
  const [ready, other] = [stub(t, 'a'), stub(t, 'b')];
  const channel = picking({ ready: [ready], others: [other] });
  for (let call = 0; call < 3; call += 1) channel.createCall(...ARGUMENTS);
  assert.deepEqual([ready.taken(), other.taken()], [3, 0]);
});

test('when none is ready the call waits for one that is not', t => {
  const other = stub(t, 'a');
  picking({ others: [other] }).createCall(...ARGUMENTS);
  assert.equal(other.taken(), 1);
});

test('who matches is asked at each call', t => {
  const [one, two] = [stub(t, 'a'), stub(t, 'b')];
  const ready = [one];
  const channel = picking({ ready });
  channel.createCall(...ARGUMENTS);
  ready[0] = two;
  channel.createCall(...ARGUMENTS);
  assert.deepEqual([one.taken(), two.taken()], [1, 1]);
});

test('when nobody matches the call fails as UNAVAILABLE and names the selector', async () => {
  const status = await statusOf(picking({}).createCall(...ARGUMENTS));
  assert.equal(status.code, grpc.status.UNAVAILABLE);
  assert.match(status.details, /no member matches role=worker/);
});

test('a closed channel takes no call and leaves the members’ channels open', async t => {
  const member = stub(t, 'a');
  const channel = picking({ ready: [member] });
  channel.close();
  assert.equal((await statusOf(channel.createCall(...ARGUMENTS))).code, grpc.status.UNAVAILABLE);
  assert.equal(member.taken(), 0);
  assert.equal(channel.getConnectivityState(false), SHUTDOWN);
  assert.notEqual(member.channel.getConnectivityState(false), SHUTDOWN);
});

test('it is ready while one member is; asked to connect it wakes those that are not', t => {
  const member = stub(t, 'a');
  const connect = t.mock.method(member.channel, 'connect', () => {});
  assert.equal(picking({ ready: [member] }).getConnectivityState(true), READY);
  assert.equal(connect.mock.callCount(), 0);
  const waiting = picking({ others: [member] });
  assert.equal(waiting.getConnectivityState(false), IDLE);
  assert.equal(connect.mock.callCount(), 0);
  assert.equal(waiting.getConnectivityState(true), IDLE);
  assert.equal(connect.mock.callCount(), 1);
});

interface Stub {
  readonly name: string;
  readonly weight: number;
  readonly channel: StableChannel;
  taken(): number;
}

/** A channel to a member, which is never dialled and keeps its calls. */
function stub(t: TestContext, name: string, weight = 1): Stub {
  const channel = new StableChannel({
    name,
    plan: constant({ error: new SelvedgeError('member_unknown', name, { node: name }) }),
    options: {
      connectTimeoutMs: 1,
      reconnectMaxDelayMs: 1,
      maxMessageBytes: 1,
      idleTimeoutMs: 1_000,
      drainTimeoutMs: 1,
      holdTimeoutMs: 1,
      refusedHoldTimeoutMs: 1,
    },
    metrics: createMetrics(),
    watcher: () => ({ connected: () => {}, failed: () => {} }),
  });
  t.after(() => channel.close());
  const createCall = t.mock.method(channel, 'createCall', () => new FakeCall());
  return { name, weight, channel, taken: () => createCall.mock.callCount() };
}

function picking({ ready = [], others = [] }: { ready?: readonly Stub[]; others?: readonly Stub[] }): PickingChannel {
  return new PickingChannel({
    selector: 'role=worker',
    candidates: () => ({ ready, others }),
    channelTo: name => {
      const found = [...ready, ...others].find(each => each.name === name);
      assert.ok(found !== undefined);
      return found.channel;
    },
  });
}

function statusOf(call: Call): Promise<grpc.StatusObject> {
  return new Promise(resolve => {
    call.start(new grpc.Metadata(), {
      onReceiveMetadata: () => {},
      onReceiveMessage: () => {},
      onReceiveStatus: resolve,
    });
  });
}
