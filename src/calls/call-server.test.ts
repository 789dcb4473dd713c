import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { callerWith } from '../../test/kit/call-as.ts';
import type { IncomingRequest } from '../exchange/incoming-request.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import { CallServer } from './call-server.ts';
import { decodeReplyHeader } from './reply-header.ts';

type Handler = grpc.handleUnaryCall<Buffer, Buffer>;

const bytes = {
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (value: Buffer) => value,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (value: Buffer) => value,
};
const definition = {
  Do: { path: '/a.B/Do', requestStream: false, responseStream: false, ...bytes },
  Stream: { path: '/a.B/Stream', requestStream: false, responseStream: true, ...bytes },
  Missing: { path: '/a.B/Missing', requestStream: false, responseStream: false, ...bytes },
};
const caller = callerWith('peer');

test('what is not served over the stream is declined, and no handler hears of it', () => {
  let calls = 0;
  const server = serverWith(() => {
    calls += 1;
  });
  for (const path of ['/a.B/Stream', '/a.B/Missing', '/a.B/Unknown', '/unknown.C/Do', 'Do', '__proto__', ''])
    assert.deepEqual(ask(server, { name: path }).said, ['declined'], path);
  assert.deepEqual(ask(server, {}, { caller: () => undefined }).said, ['declined']);
  assert.equal(calls, 0);
});

test('a malformed header ends the request with INTERNAL, before the handler', () => {
  let calls = 0;
  const server = serverWith(() => {
    calls += 1;
  });
  for (const header of [[], [1], [2, 58, 97, 0, 0], [0, 0]])
    assert.deepEqual(ask(server, { header: Buffer.from(header) }).said, [
      'INTERNAL the header of the request is malformed',
    ]);
  assert.equal(calls, 0);
});

test('the first reply counts, in whatever order a handler says more', () => {
  const replies: [Handler, string][] = [
    [
      (_call, reply) => {
        reply(null, Buffer.from('1'));
        reply(null, Buffer.from('2'));
        reply({ code: grpc.status.ABORTED, details: 'late' });
      },
      'OK OK 1',
    ],
    [
      (call, reply) => {
        reply({ code: grpc.status.ABORTED, details: 'first' });
        call.sendMetadata(new grpc.Metadata());
        reply(null, Buffer.from('2'));
      },
      'ABORTED first',
    ],
    [
      (_call, reply) => {
        reply(null, Buffer.from('1'));
        throw new Error('after the reply');
      },
      'OK OK 1',
    ],
  ];
  for (const [handler, expected] of replies) assert.deepEqual(ask(serverWith(handler), {}).said, [expected]);
});

test('a cancellation is heard by the handler once, and what it replies then goes nowhere', async () => {
  const heard: unknown[] = [];
  let late: () => void = () => {};
  const server = serverWith((call, reply) => {
    call.on('cancelled', why => heard.push(why, call.cancelled));
    late = () => reply(null, Buffer.from('late'));
  });
  const request = ask(server, {});
  request.cancel();
  assert.deepEqual(heard, []);
  await turn();
  late();
  await turn();
  assert.deepEqual(heard, ['cancelled', true]);
  assert.deepEqual(request.said, []);
});

test('a guard that fails ends the request, and one that waits decides later', async () => {
  const failing = () => {
    throw new Error('no guard');
  };
  const server = serverWith((_call, reply) => reply(null, Buffer.from('served')));
  assert.deepEqual(ask(server, {}, { interceptor: failing }).said, ['handler_failed']);
  assert.deepEqual(ask(server, {}, { caller: failing }).said, ['handler_failed']);
  const waiting: grpc.ServerInterceptor = (_method, call) =>
    new grpc.ServerInterceptingCall(call, {
      start: next => next({ onReceiveMetadata: (metadata, pass) => setImmediate(pass, metadata) }),
    });
  const request = ask(server, {}, { interceptor: waiting });
  assert.deepEqual(request.said, []);
  await turn();
  await turn();
  assert.deepEqual(request.said, ['OK OK served']);
});

test('a guard hears of a call what it hears of one over HTTP/2, and its status is the one that counts', async () => {
  const heard: string[] = [];
  const interceptor: grpc.ServerInterceptor = ({ path, requestStream, responseStream }, call) => {
    heard.push(path, String(requestStream), String(responseStream), call.getPeer(), call.getHost());
    heard.push(JSON.stringify(call.getConnectionInfo()), String(call.getDeadline()));
    return new grpc.ServerInterceptingCall(call, {
      start: next =>
        next({
          onReceiveMessage: (message, pass) => {
            heard.push(`message ${message}`);
            pass(message);
          },
          onReceiveHalfClose: pass => {
            heard.push('half close');
            pass();
          },
          onCancel: () => heard.push('cancel'),
        }),
      sendStatus: (status, next) => {
        heard.push(`status ${status.code}`);
        next({ ...status, details: 'guarded' });
      },
    });
  };
  const server = serverWith((_call, reply) => reply(null, Buffer.from('x')));
  const { said } = ask(server, { deadlineMs: 5 }, { interceptor });
  await turn();
  assert.deepEqual(said, ['OK guarded x']);
  assert.deepEqual(heard, [
    '/a.B/Do',
    'false',
    'false',
    '127.0.0.1:1',
    'node-2',
    '{"remoteAddress":"127.0.0.1","remotePort":1}',
    '5',
    'message hi',
    'half close',
    'status 0',
    'cancel',
  ]);
});

test('status and metadata that are too large are RESOURCE_EXHAUSTED', () => {
  const large = new grpc.Metadata();
  large.set('x-large', 'x'.repeat(70_000));
  const cases: Handler[] = [
    (_call, reply) => reply(null, Buffer.from('x'), large),
    (_call, reply) => reply({ code: grpc.status.ABORTED, details: 'x'.repeat(70_000) }),
    (call, reply) => {
      call.sendMetadata(large);
      reply(null, Buffer.from('x'));
    },
  ];
  for (const handler of cases) {
    const { said } = ask(serverWith(handler), {});
    assert.equal(said.length, 1);
    assert.match(said[0] ?? '', /^RESOURCE_EXHAUSTED .* too large$/);
  }
});

test('a handler may keep what it got: a small message is not a view of what it was received with', () => {
  const requests: Buffer[] = [];
  const server = serverWith((call, reply) => {
    requests.push(call.request);
    reply(null, call.request);
  });
  const received = Buffer.alloc(65_536, 'a');
  ask(server, { payload: received.subarray(10, 20) });
  ask(server, { payload: received });
  assert.ok((requests[0]?.buffer.byteLength ?? Infinity) < received.length);
  // What fills most of it is not copied.
  assert.equal(requests[1]?.buffer, received.buffer);
});

function serverWith(handler: Handler): CallServer {
  const implementation = { Do: handler, Stream: () => {} };
  return new CallServer([{ definition, implementation }], { host: 'node-2', maxReplyBytes: 100_000 });
}

/** Asks a server, and notes down what it says. */
function ask(server: CallServer, request: Partial<IncomingRequest>, guard: Partial<StreamGuard> = {}) {
  const said: string[] = [];
  let onCancel: () => void = () => {};
  const passing: grpc.ServerInterceptor = (_method, call) => new grpc.ServerInterceptingCall(call);
  server.serve(
    {
      name: '/a.B/Do',
      header: Buffer.of(0),
      payload: Buffer.from('hi'),
      priority: 'normal',
      deadlineMs: Number.POSITIVE_INFINITY,
      reply: (header, payload) => {
        const { code, details, hasMessage } = decodeReplyHeader(Buffer.from(header));
        said.push([grpc.status[code], details, ...(hasMessage ? [String(payload)] : [])].join(' '));
      },
      fail: reason => said.push(reason),
      onCancel: listener => {
        onCancel = listener;
      },
      handlerOver: () => {},
      ...request,
    },
    { caller: () => caller, decide: () => ({ allowed: true, policy: '', rule: '' }), interceptor: passing, ...guard },
  );
  return { said, cancel: () => onCancel() };
}
