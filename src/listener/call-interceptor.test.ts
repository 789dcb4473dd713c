import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { callerWith } from '../../test/kit/call-as.ts';
import { echo, echoDefinition, whoAmI } from '../../test/kit/echo-service.ts';
import { listen } from '../../test/kit/loopback-node.ts';
import { until } from '../../test/kit/until.ts';
import { type Caller, callerOf, type Role } from '../rpc/caller.ts';
import type { Decision } from '../rpc/decision.ts';
import { refusalReasonOf } from '../rpc/status.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { type CallCounter, callInterceptor } from './call-interceptor.ts';
import type { AuthorizeCall } from './listener-policy.ts';

const ALLOWED: Decision = { allowed: true, policy: 'test', rule: 'everything' };
const DENIED: Decision = { allowed: false, policy: 'secret-policy', rule: 'secret-rule' };
const METHODS = ['Echo', 'Chat', 'Count'] as const;

test('an allowed call reaches its handler and knows its caller', async t => {
  const { client, metrics } = await serve(t, () => ALLOWED);
  assert.deepEqual((await whoAmI(client)).roles, ['peer']);
  const exposed = await metrics.expose();
  assert.match(exposed, /decisions_total\{service="test\.Echo",decision="allow"\} 1/);
  assert.match(exposed, /grpc_server_call_started_total\{grpc_method="test\.Echo\/WhoAmI"\} 1/);
  assert.match(exposed, /duration_seconds_count\{grpc_method="test\.Echo\/WhoAmI",grpc_status="OK"\} 1/);
});

test('a denied call never reaches its handler, whatever its kind, and is told nothing but that', async t => {
  const { client, reached, calls, metrics } = await serve(t, () => DENIED);
  for (const method of METHODS) {
    const error = await callAnyhow(client, method);
    assert.equal(error.code, grpc.status.PERMISSION_DENIED, method);
    assert.equal(error.details, 'permission denied', method);
    assert.doesNotMatch(JSON.stringify(error.metadata.toJSON()), /role|peer|admin|secret|test\.Echo/);
  }
  assert.deepEqual(reached, []);
  assert.equal(calls.active.size, 0);
  assert.match(await metrics.expose(), /decisions_total\{service="test\.Echo",decision="deny"\} 3/);
  assert.doesNotMatch(await metrics.expose(), /decision="allow"/);
});

test('the decision is asked of the path on the wire, for each call anew', async t => {
  const asked: string[] = [];
  const { client } = await serve(t, ({ connectionId }, path) => {
    asked.push(`${connectionId} ${path}`);
    return path.endsWith('/Echo') ? ALLOWED : DENIED;
  });
  assert.equal(await echo(client, 'a'), 'a');
  assert.equal((await callAnyhow(client, 'Count')).code, grpc.status.PERMISSION_DENIED);
  assert.deepEqual(asked, ['1 /test.Echo/Echo', '1 /test.Echo/Count']);
});

test('a method that is not there leaves no word of the caller in the metrics', async t => {
  const { client, metrics } = await serve(t, () => ALLOWED);
  const same = (value: Buffer) => value;
  const error = await new Promise<grpc.ServiceError | null>(resolve => {
    client.makeUnaryRequest('/evil.Label/Injected', same, same, Buffer.from('x'), resolve);
  });
  assert.equal(error?.code, grpc.status.UNIMPLEMENTED);
  assert.doesNotMatch(await metrics.expose(), /evil/);
});

test('a call counts as active until it ends', async t => {
  const { client, calls, metrics } = await serve(t, () => ALLOWED);
  const chat = openChat(client);
  await until('it runs', () => calls.active.size === 1);
  chat.end();
  await until('it ended', () => calls.active.size === 0);
  assert.match(
    await metrics.expose(),
    /grpc_server_call_duration_seconds_count\{grpc_method="test\.Echo\/Chat",grpc_status="OK"\} 1/,
  );
});

test('a call whose caller goes away is active no more, and counts as cancelled', async t => {
  const { client, calls, metrics } = await serve(t, () => ALLOWED, {
    Chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => call.on('error', () => {}),
  });
  const left = openChat(client);
  await until('it runs', () => calls.active.size === 1);
  left.cancel();
  await until('it was left', () => calls.active.size === 0);
  assert.match(
    await metrics.expose(),
    /grpc_server_call_duration_seconds_count\{grpc_method="test\.Echo\/Chat",grpc_status="CANCELLED"\} 1/,
  );
});

test('a call that is cut ends as UNAVAILABLE with the reason, its handler is told, and may still answer', async t => {
  let finish: () => void = () => {};
  let cancelled = false;
  const { client, calls } = await serve(t, () => ALLOWED, {
    Echo: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => {
      call.on('cancelled', () => {
        cancelled = true;
      });
      finish = () => reply(null, call.request);
    },
  });
  const waiting = assert.rejects(echo(client, 'x'), { code: grpc.status.UNAVAILABLE, details: 'the node is draining' });
  await until('it runs', () => calls.active.size === 1);
  for (const call of [...calls.active]) call.cut('the node is draining', 'node_draining');
  await waiting;
  assert.equal(calls.active.size, 0);
  await until('the handler knows', () => cancelled);
  finish();
  await assert.rejects(echo(client, 'x', 100), { code: grpc.status.DEADLINE_EXCEEDED }, 'the connection still stands');
});

test('a call that is cut carries the reason, where programs find it', async t => {
  const { client, calls } = await serve(t, () => ALLOWED);
  const chat = openChat(client);
  const ended = new Promise<grpc.ServiceError>(resolve => chat.once('error', resolve));
  await until('it runs', () => calls.active.size === 1);
  for (const call of calls.active) {
    assert.equal(call.path, '/test.Echo/Chat');
    call.cut('no longer admitted', 'certificate_revoked');
  }
  assert.equal(refusalReasonOf(await ended), 'certificate_revoked');
});

test('a call over a connection that may no longer be here is answered with the reason, and reaches no handler', async t => {
  for (const [unauthenticated, code] of [
    [true, grpc.status.UNAUTHENTICATED],
    [false, grpc.status.PERMISSION_DENIED],
  ] as const) {
    let standing: ReturnType<Parameters<typeof callInterceptor>[0]['caller']> = callerWith('peer');
    const denied: string[] = [];
    const { client, reached } = await serve(
      t,
      () => ALLOWED,
      {},
      () => standing,
      {
        decided: ({ roles }, path, { allowed }) => allowed || denied.push(`${[...roles]} ${path}`),
      },
    );
    assert.equal(await echo(client, 'a'), 'a');
    const detail = 'nearest: uri:spiffe://dev/secret';
    standing = { admitted: false, reason: 'subject_not_allowed', detail, identity: undefined, unauthenticated };
    const error = await callAnyhow(client, 'Echo');
    assert.deepEqual([error.code, error.details], [code, 'connection refused: subject_not_allowed']);
    assert.equal(refusalReasonOf(error), 'subject_not_allowed');
    assert.doesNotMatch(JSON.stringify(error.metadata.toJSON()), /secret/);
    assert.deepEqual(reached, ['Echo']);
    assert.deepEqual(denied, ['peer /test.Echo/Echo'], 'it is told of as a denial, with who it was when it came');
  }
});

test('who is found behind a call is its caller, asked once it is known', async t => {
  const admin: Caller = {
    ...callerWith('peer', 'admin'),
    bearer: { kind: 'token', name: 'ann', roles: new Set(['admin']) },
  };
  const told: string[] = [];
  for (const found of [admin, Promise.resolve(admin)]) {
    const { client } = await serve(t, ({ roles }) => (roles.has('admin') ? ALLOWED : DENIED), {}, undefined, {
      authenticate: () => found,
      decided: (caller, path, { allowed }) => told.push(`${caller.bearer?.name} ${path} ${allowed}`),
    });
    assert.deepEqual((await whoAmI(client)).roles, ['peer', 'admin']);
  }
  assert.deepEqual(told, ['ann /test.Echo/WhoAmI true', 'ann /test.Echo/WhoAmI true']);
});

test('a call behind which nobody is found ends as UNAUTHENTICATED, is told nothing more, and is told of', async t => {
  const nobody = { allowed: false, policy: 'authentication', rule: 'secret' } as const;
  for (const found of [nobody, Promise.resolve(nobody)]) {
    const told: unknown[] = [];
    const asked: string[] = [];
    const authorize: AuthorizeCall = (_caller, path) => {
      asked.push(path);
      return ALLOWED;
    };
    const parts = {
      authenticate: () => found,
      decided: (_caller: Caller, _path: string, decision: Decision) => told.push(decision),
    };
    const { client, reached, metrics } = await serve(t, authorize, {}, undefined, parts);
    for (const method of METHODS) {
      const error = await callAnyhow(client, method);
      assert.deepEqual([error.code, error.details], [grpc.status.UNAUTHENTICATED, 'unauthenticated'], method);
      assert.doesNotMatch(JSON.stringify(error.metadata.toJSON()), /secret/);
    }
    assert.deepEqual([reached, asked, told.length], [[], [], METHODS.length]);
    assert.match(await metrics.expose(), /decisions_total\{service="test\.Echo",decision="deny"\} 3/);
  }
});

test('a call that is cut or left while its caller is looked for goes no further', async t => {
  let found: (caller: Caller) => void = () => {};
  const authenticate = () => new Promise<Caller>(resolve => (found = resolve));
  const { client, calls, reached } = await serve(t, () => ALLOWED, {}, undefined, { authenticate });
  const cut = assert.rejects(echo(client, 'x'), { code: grpc.status.UNAVAILABLE });
  await until('it waits', () => calls.active.size === 1);
  for (const call of [...calls.active]) call.cut('the node is draining', 'node_draining');
  await cut;
  found(callerWith('peer'));
  const left = openChat(client);
  await until('it waits', () => calls.active.size === 1);
  left.cancel();
  await until('it was left', () => calls.active.size === 0);
  found(callerWith('peer'));
  await new Promise(setImmediate);
  assert.deepEqual(reached, []);
});

test('what a connection may is what it may when its caller was found, not when it was asked for', async t => {
  let found: (caller: Caller) => void = () => {};
  const authenticate = () => new Promise<Caller>(resolve => (found = resolve));
  let standing: ReturnType<Parameters<typeof callInterceptor>[0]['caller']> = callerWith('peer', 'admin');
  const bearer = { kind: 'token', name: 'ann', roles: new Set<Role>(['observer']) } as const;
  const { client, calls, reached } = await serve(
    t,
    () => ALLOWED,
    {},
    () => standing,
    { authenticate },
  );
  const answer = whoAmI(client);
  await until('it waits', () => calls.active.size === 1);
  const before = standing;
  standing = callerWith('peer');
  found({ ...before, bearer });
  assert.deepEqual((await answer).roles, ['peer', 'observer']);
  const refused = callAnyhow(client, 'Echo');
  await until('it waits', () => calls.active.size === 1);
  const reason = 'certificate_revoked';
  standing = { admitted: false, reason, detail: '', identity: undefined, unauthenticated: true };
  found({ ...before, bearer });
  assert.equal(refusalReasonOf(await refused), reason);
  assert.deepEqual(reached, []);
});

test('what goes wrong while it is decided on a call ends that call, and tells nothing of why', async t => {
  const fail = () => {
    throw new Error('secret');
  };
  const later = { authenticate: () => Promise.resolve(callerWith('peer')) };
  const parts: readonly Parameters<typeof serve>[4][] = [
    { authenticate: () => Promise.reject<Caller>(new Error('secret')) },
    { authenticate: fail },
    { decided: fail },
    { ...later, decided: fail },
  ];
  for (const hooks of parts) {
    const failures: string[] = [];
    const failed = (path: string, error: unknown) => failures.push(`${path} ${error}`);
    const { client, calls, reached } = await serve(t, () => ALLOWED, {}, undefined, { ...hooks, failed });
    const error = await callAnyhow(client, 'Echo');
    assert.deepEqual([error.code, error.details], [grpc.status.INTERNAL, 'internal error']);
    assert.deepEqual([calls.active.size, reached], [0, []]);
    assert.deepEqual(failures, ['/test.Echo/Echo Error: secret'], 'the owner is told');
  }
  const { client, reached } = await serve(t, fail);
  assert.equal((await callAnyhow(client, 'Echo')).code, grpc.status.INTERNAL);
  assert.deepEqual(reached, []);
});

test('whether a running call may go on is asked of its own caller, path and metadata', async t => {
  const { client, calls } = await serve(t, () => ALLOWED);
  const chat = openChat(client);
  await until('it runs', () => calls.active.size === 1);
  const [call] = calls.active;
  const may = (decision: Decision) => call?.isAllowed(() => decision, callerWith('observer'));
  assert.deepEqual([may(ALLOWED), may(DENIED)], [true, false]);
  const asked: unknown[] = [];
  call?.isAllowed((caller, path, metadata) => {
    asked.push([...caller.roles], path, metadata.get('x-kind'));
    return ALLOWED;
  }, callerWith('observer'));
  assert.deepEqual(asked, [['observer'], '/test.Echo/Chat', ['chat']]);
  chat.cancel();
});

async function serve(
  t: TestContext,
  authorize: AuthorizeCall,
  handlers: grpc.UntypedServiceImplementation = {},
  caller: Parameters<typeof callInterceptor>[0]['caller'] = () => callerWith('peer'),
  parts: Partial<Pick<Parameters<typeof callInterceptor>[0], 'authenticate' | 'decided' | 'failed'>> = {},
): Promise<{
  client: grpc.Client;
  calls: CallCounter;
  metrics: ReturnType<typeof createMetrics>;
  reached: string[];
}> {
  const calls: CallCounter = { active: new Set() };
  const metrics = createMetrics();
  const reached: string[] = [];
  const server = new grpc.Server({
    interceptors: [
      callInterceptor({
        admitted: () => callerWith('peer'),
        caller,
        authorize,
        calls,
        metrics,
        failed: () => {},
        ...parts,
      }),
    ],
  });
  server.addService(echoDefinition, {
    Echo: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => {
      reached.push('Echo');
      reply(null, call.request);
    },
    WhoAmI: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => {
      reply(null, Buffer.from(JSON.stringify({ roles: [...callerOf(call).roles] })));
    },
    Chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      reached.push('Chat');
      call.on('data', message => call.write(message));
      call.on('end', () => call.end());
      call.on('error', () => {});
    },
    Count: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      reached.push('Count');
      call.end();
    },
    ...handlers,
  });
  const client = new grpc.Client(`127.0.0.1:${await listen(server)}`, grpc.credentials.createInsecure());
  t.after(() => {
    client.close();
    server.forceShutdown();
  });
  return { client, calls, metrics, reached };
}

function openChat(client: grpc.Client): grpc.ClientDuplexStream<Buffer, Buffer> {
  const { path, requestSerialize, responseDeserialize } = echoDefinition.Chat;
  const metadata = new grpc.Metadata();
  metadata.set('x-kind', 'chat');
  const chat = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
  chat.on('data', () => {});
  chat.on('error', () => {});
  chat.write(Buffer.from('x'));
  return chat;
}

/** Calls as the kind of the method wants it, sends a message, and resolves with how it failed. */
function callAnyhow(client: grpc.Client, method: (typeof METHODS)[number]): Promise<grpc.ServiceError> {
  const { path, requestSerialize, responseDeserialize, requestStream, responseStream } = echoDefinition[method];
  const message = Buffer.from('1');
  return new Promise((resolve, reject) => {
    const settle = (error: grpc.ServiceError | null) => {
      if (error === null) reject(new Error(`${method} did not fail`));
      else resolve(error);
    };
    if (requestStream) {
      const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      call.on('error', settle).on('data', () => {});
      call.write(message);
    } else if (responseStream) {
      const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, message);
      call
        .on('error', settle)
        .on('data', () => {})
        .on('end', () => {});
    } else {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, settle);
    }
  });
}
