import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { echoDefinition, echoImplementation } from '../../test/kit/echo-service.ts';
import { FakeChannel } from '../../test/kit/fake-channel.ts';
import { listen } from '../../test/kit/loopback-node.ts';
import { until } from '../../test/kit/until.ts';
import type { Call } from '../rpc/grpc-call.ts';
import { type CallOwner, FacadeCall } from './facade-call.ts';

const { OK, UNAVAILABLE, CANCELLED } = grpc.status;
const REFUSED = 'Stream refused by server';

test('what was asked before the call has a channel reaches it in order, and what comes after at once', () => {
  const { call, channel } = setUp();
  call.start(new grpc.Metadata(), silent());
  call.sendMessageWithContext({}, Buffer.from('a'));
  call.startRead();
  call.dispatch(channel);
  channel.last.confirmMessages();
  call.sendMessageWithContext({}, Buffer.from('b'));
  call.halfClose();
  assert.deepEqual(channel.last.asked, ['start', 'read', 'send a', 'send b', 'halfClose']);
});

test('an answer is passed on, and the owner hears of the end once', () => {
  const { call, channel, ended } = setUp();
  const heard = startListening(call);
  call.dispatch(channel);
  channel.last.answerMetadata();
  channel.last.answerMessage('hi');
  channel.last.answerStatus(OK);
  channel.last.answerStatus(UNAVAILABLE);
  assert.deepEqual(heard, ['metadata', 'message hi', 'OK ']);
  assert.deepEqual(ended, [OK]);
});

test('a call that no server processed comes back, and the next channel is asked the same again', () => {
  const { call, channel, returned, ended } = setUp();
  const heard = startListening(call);
  call.sendMessageWithContext({}, Buffer.from('a'));
  call.startRead();
  call.halfClose();
  call.dispatch(channel);
  channel.last.answerStatus(UNAVAILABLE, REFUSED);
  assert.equal(returned(), 1);
  assert.deepEqual(heard, []);
  const next = new FakeChannel();
  call.dispatch(next);
  assert.deepEqual(next.last.asked, ['start', 'read', 'send a', 'halfClose']);
  next.last.answerStatus(OK);
  assert.deepEqual(heard, ['OK ']);
  assert.deepEqual(ended, [OK]);
});

test('a message that is sent again is reported as written once', () => {
  const { call, channel } = setUp();
  let written = 0;
  call.start(new grpc.Metadata(), silent());
  const context = {
    callback: () => {
      written += 1;
    },
  };
  call.sendMessageWithContext(context, Buffer.from('a'));
  call.dispatch(channel);
  channel.last.confirmMessages();
  channel.last.answerStatus(UNAVAILABLE, REFUSED);
  call.dispatch(channel);
  channel.last.confirmMessages();
  assert.equal(channel.calls.length, 2);
  assert.equal(written, 1);
});

test('messages that are sent again go out one at a time, each when the one before is written', () => {
  const { call, channel } = setUp();
  call.start(new grpc.Metadata(), silent());
  call.dispatch(channel);
  for (const text of ['a', 'b']) {
    call.sendMessageWithContext({}, Buffer.from(text));
    channel.last.confirmMessages();
  }
  channel.last.answerStatus(UNAVAILABLE, REFUSED);
  call.dispatch(channel);
  call.startRead();
  call.sendMessageWithContext({}, Buffer.from('c'));
  call.halfClose();
  assert.deepEqual(channel.last.asked, ['start', 'send a', 'read']);
  channel.last.confirmMessages();
  assert.deepEqual(channel.last.asked, ['start', 'send a', 'read', 'send b']);
  channel.last.answerMetadata();
  channel.last.confirmMessages();
  assert.deepEqual(channel.last.asked, ['start', 'send a', 'read', 'send b', 'send c', 'halfClose']);
});

test('what an earlier connection says of its messages moves nothing on the present one', () => {
  const { call, channel } = setUp();
  call.start(new grpc.Metadata(), silent());
  call.dispatch(channel);
  call.sendMessageWithContext({}, Buffer.from('a'));
  const earlier = channel.last;
  earlier.answerStatus(UNAVAILABLE, REFUSED);
  call.dispatch(channel);
  earlier.confirmMessages();
  call.sendMessageWithContext({}, Buffer.from('b'));
  assert.deepEqual(channel.last.asked, ['start', 'send a']);
});

test('a call never comes back once the server has answered anything', () => {
  const { call, channel, returned } = setUp();
  const heard = startListening(call);
  call.dispatch(channel);
  channel.last.answerMetadata();
  channel.last.answerStatus(UNAVAILABLE, REFUSED);
  assert.equal(returned(), 0);
  assert.deepEqual(heard, ['metadata', `UNAVAILABLE ${REFUSED}`]);
});

test('a failure that does not say the call was unprocessed is final', () => {
  const { call, channel, returned } = setUp();
  const heard = startListening(call);
  call.dispatch(channel);
  channel.last.answerStatus(UNAVAILABLE, 'Connection dropped');
  assert.equal(returned(), 0);
  assert.deepEqual(heard, ['UNAVAILABLE Connection dropped']);
});

test('an owner that takes nothing back gets the failure', () => {
  const { channel } = setUp();
  const call = new FacadeCall(['/x/Y', Infinity, null, null, null], { ended: () => {} });
  const heard = startListening(call);
  call.dispatch(channel);
  channel.last.answerStatus(UNAVAILABLE, REFUSED);
  assert.deepEqual(heard, [`UNAVAILABLE ${REFUSED}`]);
});

test('a server that refuses again and again is asked six times in all', () => {
  const { call, channel, returned } = setUp();
  const heard = startListening(call);
  for (let round = 0; round < 10; round += 1) {
    call.dispatch(channel);
    channel.last.answerStatus(UNAVAILABLE, REFUSED);
  }
  assert.equal(channel.calls.length, 6);
  assert.equal(returned(), 5);
  assert.deepEqual(heard, [`UNAVAILABLE ${REFUSED}`]);
});

test('a call with much to say is not kept for another try', () => {
  const { call, channel, returned } = setUp();
  const heard = startListening(call);
  call.dispatch(channel);
  call.sendMessageWithContext({}, Buffer.alloc(262_145));
  channel.last.answerStatus(UNAVAILABLE, REFUSED);
  assert.equal(returned(), 0);
  assert.equal(heard.length, 1);
});

test('a call that fails while it waits gets its status, never within the call that caused it', async () => {
  const { call, channel, ended } = setUp();
  const heard = startListening(call);
  call.fail(UNAVAILABLE, 'gone');
  assert.deepEqual(heard, []);
  await turn();
  assert.deepEqual(heard, ['UNAVAILABLE gone']);
  assert.deepEqual(ended, [UNAVAILABLE]);
  call.dispatch(channel);
  call.startRead();
  assert.equal(channel.calls.length, 0, 'an ended call is given to nobody');
});

test('a call that failed before it was started tells so when it is', async () => {
  const { call } = setUp();
  call.fail(UNAVAILABLE, 'gone');
  const heard = startListening(call);
  await turn();
  assert.deepEqual(heard, ['UNAVAILABLE gone']);
});

test('a cancelled call ends: by its channel where it has one, by itself where it waits', async () => {
  const given = setUp();
  const heard = startListening(given.call);
  given.call.dispatch(given.channel);
  given.call.cancelWithStatus(CANCELLED, 'stop');
  assert.deepEqual(given.channel.last.asked, ['start', 'cancel CANCELLED']);
  assert.deepEqual(heard, ['CANCELLED stop']);
  const waiting = setUp();
  const heardWaiting = startListening(waiting.call);
  waiting.call.cancelWithStatus(CANCELLED, 'stop');
  await turn();
  assert.deepEqual(heardWaiting, ['CANCELLED stop']);
  assert.equal(given.call.getPeer(), 'fake:1');
  assert.equal(waiting.call.getPeer(), 'unknown');
});

test('a call that is failed while a channel has it keeps the metadata of that failure, which grpc-js would lose', () => {
  const { call, channel } = setUp();
  const statuses: grpc.StatusObject[] = [];
  call.start(new grpc.Metadata(), { ...silent(), onReceiveStatus: status => statuses.push(status) });
  call.dispatch(channel);
  const metadata = new grpc.Metadata();
  metadata.set('selvedge-reason', 'unknown_ca');
  call.fail(UNAVAILABLE, 'withdrawn', metadata);
  assert.deepEqual(statuses, [{ code: UNAVAILABLE, details: 'withdrawn', metadata }]);
});

test('a status of the server that comes before that of the failure keeps its own metadata', () => {
  const { call, channel } = setUp();
  const statuses: grpc.StatusObject[] = [];
  call.start(new grpc.Metadata(), { ...silent(), onReceiveStatus: status => statuses.push(status) });
  call.dispatch(channel);
  channel.last.cancelWithStatus = () => channel.last.answerStatus(OK, 'done');
  const metadata = new grpc.Metadata();
  metadata.set('selvedge-reason', 'unknown_ca');
  call.fail(UNAVAILABLE, 'withdrawn', metadata);
  assert.deepEqual(statuses, [{ code: OK, details: 'done', metadata: new grpc.Metadata() }]);
});

test('a call is given to one channel at a time', () => {
  const { call, channel } = setUp();
  call.dispatch(channel);
  call.dispatch(channel);
  assert.equal(channel.calls.length, 1);
});

test('a client stream whose first connection refuses it goes on over the second as if nothing had happened', async t => {
  const { port } = await echoServer(t);
  const refusing = new FakeChannel();
  const serving = new grpc.Channel(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {});
  t.after(() => serving.close());
  const calls: FacadeCall[] = [];
  const facade: grpc.ChannelInterface = Object.assign(new FakeChannel(), {
    createCall: (...args: ConstructorParameters<typeof FacadeCall>[0]) => {
      const call = new FacadeCall(args, { returned: each => each.dispatch(serving), ended: () => {} });
      calls.push(call);
      call.dispatch(refusing);
      return call;
    },
  });
  const options: Record<string, unknown> = { channelOverride: facade };
  const client = new grpc.Client('x', grpc.credentials.createInsecure(), options);
  const { path, requestSerialize, responseDeserialize } = echoDefinition.Chat;
  const chat = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const replies: string[] = [];
  const errors: unknown[] = [];
  chat.on('data', (reply: Buffer) => replies.push(reply.toString()));
  chat.on('error', error => errors.push(error));
  chat.write(Buffer.from('a'));
  await until('the first message is out', () => refusing.last.asked.includes('send a'));
  refusing.last.confirmMessages();
  refusing.last.answerStatus(UNAVAILABLE, REFUSED);
  chat.write(Buffer.from('b'));
  await until('both are answered', () => replies.length === 2 || errors.length > 0);
  assert.deepEqual(errors, []);
  assert.deepEqual(replies, ['a', 'b']);
  chat.end();
  await until('the call ended', () => calls[0]?.ended === true);
});

function setUp() {
  const ended: grpc.status[] = [];
  let returns = 0;
  const owner: CallOwner = {
    returned: () => {
      returns += 1;
    },
    ended: (_call, code) => ended.push(code),
  };
  const call = new FacadeCall(['/x/Y', Number.POSITIVE_INFINITY, null, null, null], owner);
  return { call, channel: new FakeChannel(), ended, returned: () => returns };
}

function silent(): Parameters<Call['start']>[1] {
  return { onReceiveMetadata: () => {}, onReceiveMessage: () => {}, onReceiveStatus: () => {} };
}

/** Starts the call and collects what it hears. */
function startListening(call: Call): string[] {
  const heard: string[] = [];
  call.start(new grpc.Metadata(), {
    onReceiveMetadata: () => heard.push('metadata'),
    onReceiveMessage: message => heard.push(`message ${message}`),
    onReceiveStatus: ({ code, details }) => heard.push(`${grpc.status[code]} ${details}`),
  });
  return heard;
}

async function echoServer(t: TestContext): Promise<{ port: number }> {
  const server = new grpc.Server();
  server.addService(echoDefinition, echoImplementation);
  t.after(() => server.forceShutdown());
  return { port: await listen(server) };
}
