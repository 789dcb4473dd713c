import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { FakeChannel } from '../../test/kit/fake-channel.ts';
import { MemoryRoute } from '../../test/kit/memory-route.ts';
import { MESSAGE_FAILURES, type MessageFailure, type Processed } from '../errors/message-failure.ts';
import type { IncomingRequest } from '../exchange/incoming-request.ts';
import type { CallArguments, CallListener } from '../rpc/grpc-call.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { encodeReplyHeader } from './reply-header.ts';
import type { StreamedCall } from './streamed-call.ts';
import { UnaryChannel } from './unary-channel.ts';

const { OK, CANCELLED, INTERNAL, UNAVAILABLE } = grpc.status;
const PATH = '/a.B/C';

test('a call is asked over the stream once its message is complete, and its answer is heard in order', async () => {
  const { call, heard, route, ordinary, counted } = setUp();
  ask(call, heard);
  assert.deepEqual([route.taken.length, heard.events.length], [1, 0]);
  const { name, header, payload, priority, timeoutMs } = route.last;
  assert.deepEqual([name, [...header], String(payload), priority, timeoutMs], [PATH, [0], 'hi', 'normal', undefined]);
  await heard.end();
  assert.deepEqual(heard.events, ['metadata', 'message hi', 'status 0 OK']);
  assert.equal(ordinary.calls.length, 0);
  assert.deepEqual(counted(), ['OK 1']);
});

test('what the stream does not take goes the ordinary way, which is asked all of it', async () => {
  const notTaken: Record<string, (parts: SetUp) => void> = {
    'no stream': ({ route }) => {
      route.isOpen = false;
    },
    'too large': ({ message }) => message.push(Buffer.alloc(1_001)),
    'credentials of its own': ({ call }) => call.setCredentials(grpc.credentials.createEmpty()),
  };
  for (const [why, prepare] of Object.entries(notTaken)) {
    const parts = setUp();
    prepare(parts);
    const { call, heard, ordinary, message } = parts;
    ask(call, heard, message[0]);
    assert.equal(parts.route.taken.length, 0, why);
    const asked = ordinary.last.asked.filter(step => step !== 'setCredentials');
    assert.deepEqual(asked, ['start', 'read', `send ${message[0]?.length ?? 'hi'}`, 'halfClose'], why);
    assert.deepEqual(ordinary.last.asked.includes('setCredentials'), why === 'credentials of its own');
    ordinary.last.answerMetadata();
    ordinary.last.answerMessage('ordinary');
    ordinary.last.answerStatus(OK);
    assert.deepEqual(heard.events, ['metadata', 'message ordinary', 'status 0 '], why);
    // The ordinary channel counts it.
    assert.deepEqual(parts.counted(), []);
  }
});

test('a host, a deadline that has passed and a parent that is cancelled are for the ordinary way', () => {
  const parent = { cancelled: true, getDeadline: () => Infinity } as unknown as grpc.ServerUnaryCall<unknown, unknown>;
  const forOrdinary: CallArguments[] = [
    [PATH, Infinity, 'host', null, null],
    [PATH, Date.now() - 1, null, null, null],
    [PATH, new Date(Date.now() - 1), null, null, null],
    [PATH, Number.NaN, null, null, null],
    [PATH, Infinity, null, parent, null],
    [PATH, Infinity, null, { ...parent, cancelled: false, getDeadline: () => 0 } as typeof parent, null],
  ];
  for (const args of forOrdinary) {
    const { channel, heard, route, ordinary } = setUp();
    ask(channel.createCall(...args), heard);
    assert.deepEqual([route.taken.length, ordinary.calls.length], [0, 1]);
  }
});

test('the time that is left goes with the request', () => {
  for (const [deadline, most] of [
    [Date.now() + 60_000, 60_000],
    [new Date(Date.now() + 60_000), 60_000],
  ] as const) {
    const { channel, heard, route } = setUp();
    ask(channel.createCall(PATH, deadline, null, null, null), heard);
    const left = route.last.timeoutMs ?? 0;
    assert.ok(left > 0 && left <= most, String(left));
    route.lose();
  }
});

test('a call that the other node has not dealt with goes the ordinary way, for every reason that is not its own', async () => {
  const ordinaryFor: MessageFailure[] = [];
  for (const reason of MESSAGE_FAILURES) {
    const { call, heard, route, ordinary, counted } = setUp();
    route.failing = { reason, processed: 'no' };
    ask(call, heard);
    await twoTurns();
    if (ordinary.calls.length === 0) continue;
    ordinaryFor.push(reason);
    assert.deepEqual(ordinary.last.asked, ['start', 'read', 'send hi', 'halfClose']);
    assert.deepEqual([heard.events, counted()], [[], []]);
  }
  const own = ['not_allowed', 'deadline_exceeded', 'cancelled'];
  assert.deepEqual(
    ordinaryFor,
    MESSAGE_FAILURES.filter(reason => !own.includes(reason)),
  );
});

test('a call that may have been processed ends, with a status for each reason, and is never asked again', async () => {
  const codes: Record<string, string> = {};
  for (const reason of MESSAGE_FAILURES)
    for (const processed of ['maybe', 'yes'] satisfies Processed[]) {
      const { call, heard, route, ordinary, counted } = setUp();
      route.failing = { reason, processed };
      ask(call, heard);
      const { code } = await heard.end();
      assert.equal(ordinary.calls.length, 0, reason);
      assert.deepEqual(counted(), [`${grpc.status[code]} 1`]);
      codes[reason] = grpc.status[code] ?? '';
    }
  assert.deepEqual(codes, {
    no_handler: 'UNAVAILABLE',
    not_allowed: 'PERMISSION_DENIED',
    declined: 'UNAVAILABLE',
    handler_failed: 'INTERNAL',
    too_large: 'UNAVAILABLE',
    reply_too_large: 'RESOURCE_EXHAUSTED',
    queue_full: 'RESOURCE_EXHAUSTED',
    deadline_exceeded: 'DEADLINE_EXCEEDED',
    cancelled: 'CANCELLED',
    stream_lost: 'UNAVAILABLE',
    node_closed: 'UNAVAILABLE',
  });
});

test('a stream that is lost while a call runs ends it with words that say so', async () => {
  const { call, heard, route } = setUp(() => {});
  ask(call, heard);
  await twoTurns();
  route.lose();
  const { code, details } = await heard.end();
  assert.deepEqual([code, details], [UNAVAILABLE, 'the stream to node-2 was lost before the reply came']);
});

test('a cancellation ends a call at once, in a later turn, and gives the request up', async () => {
  let cancelled = 0;
  const { call, heard, counted } = setUp(request => {
    request.onCancel(() => {
      cancelled += 1;
    });
  });
  ask(call, heard);
  await twoTurns();
  call.cancelWithStatus(CANCELLED, 'enough');
  call.cancelWithStatus(INTERNAL, 'again');
  assert.deepEqual([heard.events, cancelled], [[], 1]);
  await heard.end();
  await twoTurns();
  assert.deepEqual([heard.events, counted()], [['status 1 enough'], ['CANCELLED 1']]);
});

test('a call that is cancelled before it was sent is never sent', async () => {
  const { call, heard, route, ordinary, counted } = setUp();
  call.cancelWithStatus(CANCELLED, 'enough');
  ask(call, heard);
  await heard.end();
  await twoTurns();
  assert.deepEqual([heard.events, route.taken.length, ordinary.calls.length], [['status 1 enough'], 0, 0]);
  assert.deepEqual(counted(), ['CANCELLED 1']);
});

test('a cancellation on the ordinary way reaches the ordinary call', async () => {
  const { call, heard, route, ordinary } = setUp();
  route.isOpen = false;
  ask(call, heard);
  call.cancelWithStatus(CANCELLED, 'enough');
  assert.equal(ordinary.last.asked.at(-1), 'cancel CANCELLED');
  assert.equal(call.getPeer(), 'fake:1');
});

test('who cancels while an answer is told hears no more of it', async () => {
  for (const part of ['metadata', 'message hi']) {
    const { call, heard, counted } = setUp();
    heard.onEvent = event => {
      if (event === part) call.cancelWithStatus(INTERNAL, 'unreadable');
    };
    ask(call, heard);
    await heard.end();
    await twoTurns();
    assert.deepEqual(heard.events.slice(heard.events.indexOf(part)), [part, 'status 13 unreadable']);
    assert.deepEqual(counted(), ['INTERNAL 1']);
  }
});

test('an answer waits for somebody to read it', async () => {
  const { call, heard } = setUp();
  call.start(new grpc.Metadata(), heard);
  call.sendMessageWithContext({}, Buffer.from('hi'));
  call.halfClose();
  await twoTurns();
  await twoTurns();
  assert.deepEqual(heard.events, []);
  call.startRead();
  assert.deepEqual(heard.events, []);
  await heard.end();
  assert.deepEqual(heard.events, ['metadata', 'message hi', 'status 0 OK']);
});

test('a malformed reply, and one that is too large, end the call and nothing else', async () => {
  const replies: readonly [Uint8Array, number, grpc.status][] = [
    [Uint8Array.of(255), 2, INTERNAL],
    [new Uint8Array(0), 2, INTERNAL],
    [Uint8Array.of(1), 1_001, grpc.status.RESOURCE_EXHAUSTED],
  ];
  for (const [header, length, expected] of replies) {
    const { call, heard } = setUp(request => request.reply(header, Buffer.alloc(length)));
    ask(call, heard);
    assert.equal((await heard.end()).code, expected);
    assert.equal(heard.events.length, 1);
  }
});

test('what a listener throws does not reach the stream, and is not lost', async t => {
  const thrown: unknown[] = [];
  const { call, heard, route } = setUp();
  heard.onEvent = event => {
    if (event.startsWith('status')) throw new Error('of the application');
  };
  const before = process.rawListeners('uncaughtException').slice();
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', error => thrown.push(error.message));
  t.after(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener as (error: Error) => void);
  });
  ask(call, heard);
  await twoTurns();
  await twoTurns();
  assert.deepEqual(thrown, ['of the application']);
  assert.equal(route.taken.length, 1);
});

test('a call forgets its parent when it ends', async () => {
  const listeners = new Set<unknown>();
  const parent = {
    cancelled: false,
    getDeadline: () => Infinity,
    once: (_event: string, listener: unknown) => listeners.add(listener),
    off: (_event: string, listener: unknown) => listeners.delete(listener),
  } as unknown as grpc.ServerUnaryCall<unknown, unknown>;
  const { channel, heard } = setUp();
  ask(channel.createCall(PATH, Infinity, null, parent, null), heard);
  assert.equal(listeners.size, 1);
  await heard.end();
  assert.equal(listeners.size, 0);
  const { DEFAULTS, CANCELLATION } = grpc.propagate;
  const alone = setUp();
  ask(alone.channel.createCall(PATH, Infinity, null, parent, DEFAULTS & ~CANCELLATION), alone.heard);
  assert.equal(listeners.size, 0);
});

test('whoever wrote the message is told once, whichever way it goes', async () => {
  const { call, heard, route, ordinary } = setUp();
  route.failing = { reason: 'declined', processed: 'no' };
  let written = 0;
  call.start(new grpc.Metadata(), heard);
  call.startRead();
  const callback = () => {
    written += 1;
  };
  call.sendMessageWithContext({ callback }, Buffer.from('hi'));
  call.halfClose();
  await twoTurns();
  assert.equal(ordinary.calls.length, 1);
  ordinary.last.confirmMessages();
  assert.equal(written, 1);
});

test('a second message makes an ordinary call of it', () => {
  const { call, heard, route, ordinary } = setUp();
  call.start(new grpc.Metadata(), heard);
  for (const text of ['a', 'b']) call.sendMessageWithContext({}, Buffer.from(text));
  call.halfClose();
  assert.deepEqual(ordinary.last.asked, ['start', 'send a', 'send b', 'halfClose']);
  assert.equal(route.taken.length, 0);
});

type SetUp = ReturnType<typeof setUp>;

/** Without `serve`, what is asked comes back as the answer. */
function setUp(serve: (request: IncomingRequest) => void = echo) {
  const ordinary = new FakeChannel();
  const route = new MemoryRoute(serve);
  const { clientCalls } = createMetrics();
  const channel = new UnaryChannel({
    name: 'node-2',
    route,
    channel: ordinary,
    calls: clientCalls,
    maxRequestBytes: 1_000,
    maxReplyBytes: 1_000,
  });
  const call = channel.createCall(PATH, Number.POSITIVE_INFINITY, null, null, null);
  const counted = () => [...clientCalls.of(PATH).durations].map(([status, { count }]) => `${status} ${count}`);
  const message: Buffer[] = [];
  return { ordinary, route, channel, call, heard: new Heard(), counted, message };
}

function echo(request: IncomingRequest): void {
  const reply = { hasMessage: true, code: OK, details: 'OK', initial: undefined, trailing: null };
  request.reply(encodeReplyHeader(reply) ?? Buffer.alloc(0), request.payload);
}

function ask(call: StreamedCall, heard: Heard, message: Buffer = Buffer.from('hi')): void {
  call.start(new grpc.Metadata(), heard);
  call.startRead();
  call.sendMessageWithContext({}, message);
  call.halfClose();
}

class Heard implements CallListener {
  readonly events: string[] = [];
  onEvent: (event: string) => void = () => {};
  #resolve: (status: grpc.StatusObject) => void = () => {};
  readonly #ended: Promise<grpc.StatusObject> = new Promise(resolve => {
    this.#resolve = resolve;
  });

  end(): Promise<grpc.StatusObject> {
    return this.#ended;
  }

  onReceiveMetadata(): void {
    this.#note('metadata');
  }

  onReceiveMessage(message: Buffer): void {
    this.#note(`message ${message}`);
  }

  onReceiveStatus(status: grpc.StatusObject): void {
    this.#resolve(status);
    this.#note(`status ${status.code} ${status.details}`);
  }

  #note(event: string): void {
    this.events.push(event);
    this.onEvent(event);
  }
}

/** Time for a request to be served and for its answer to come back. */
async function twoTurns(): Promise<void> {
  await turn();
  await turn();
  await turn();
}
