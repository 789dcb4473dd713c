import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { callAs } from '../../test/kit/call-as.ts';
import { listen } from '../../test/kit/loopback-node.ts';
import { until } from '../../test/kit/until.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { type ClusterControlMethods, clusterControl } from './control-messages.ts';
import { callUnary, implementUnary, serviceDefinition, type UnaryHandlers } from './service.ts';
import { refusalReasonOf } from './status.ts';

test('a call reaches its handler with request and caller, and its answer comes back', async t => {
  const client = await serve(t, {
    Preflight: ({ to }, caller) => ({
      ready: caller.roles.has('observer'),
      nodes: [
        {
          nodeName: 'node-1',
          from: 'plain',
          to,
          ready: true,
          obstacles: [],
          addressesRedacted: false,
          modeObstacles: [],
        },
      ],
      unreachable: [],
      addressesRedacted: false,
    }),
  });
  const answer = await callUnary(client, clusterControl, 'Preflight', { to: 'strict' });
  assert.equal(answer.ready, true);
  assert.equal(answer.nodes[0]?.to, 'strict');
});

test('an error of ours arrives with its status, its message and its reason', async t => {
  const client = await serve(t, {
    ListNodes: () => {
      throw new SelvedgeError('refused', 'not_a_member: x', { reason: 'not_a_member', by: 'us', detail: 'x' });
    },
  });
  const error = await failure(callUnary(client, clusterControl, 'ListNodes', {}));
  assert.equal(error.code, grpc.status.FAILED_PRECONDITION);
  assert.equal(error.details, 'not_a_member: x');
  assert.equal(refusalReasonOf(error), 'not_a_member');
});

test('any other error arrives as INTERNAL without its text, whether it was thrown or rejected', async t => {
  const client = await serve(t, {
    ListNodes: () => {
      throw new Error('/etc/secret');
    },
    GetClusterStatus: () => Promise.reject(new Error('/etc/secret')),
  });
  for (const method of ['ListNodes', 'GetClusterStatus'] as const) {
    const error = await failure(callUnary(client, clusterControl, method, {}));
    assert.equal(error.code, grpc.status.INTERNAL);
    assert.doesNotMatch(error.message, /secret/);
  }
});

test('the signal of a call that is cancelled tells the handler', async t => {
  const { client, begun, aborted } = await serveForever(t);
  const abort = new AbortController();
  const call = callUnary(client, clusterControl, 'ListNodes', {}, { signal: abort.signal });
  await until('the handler runs', begun);
  abort.abort();
  assert.equal((await failure(call)).code, grpc.status.CANCELLED);
  await until('the handler knows', aborted);
});

test('a signal that is aborted already fails the call', async t => {
  const { client } = await serveForever(t);
  const call = callUnary(client, clusterControl, 'ListNodes', {}, { signal: AbortSignal.abort() });
  assert.equal((await failure(call)).code, grpc.status.CANCELLED);
});

test('a call that is over listens to its signal no more', async t => {
  const client = await serve(t, { ListNodes: () => ({ nodes: [], addressesRedacted: false, removed: [] }) });
  const { signal } = new AbortController();
  let listening = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<AbortSignal['addEventListener']>) => {
    listening += 1;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<AbortSignal['removeEventListener']>) => {
    listening -= 1;
    removeEventListener.apply(signal, args);
  };
  await callUnary(client, clusterControl, 'ListNodes', {}, { signal });
  assert.equal(listening, 0);
});

test('a call ends at its deadline', async t => {
  const { client } = await serveForever(t);
  const error = await failure(callUnary(client, clusterControl, 'ListNodes', {}, { timeoutMs: 100 }));
  assert.equal(error.code, grpc.status.DEADLINE_EXCEEDED);
});

test('metadata goes along', async t => {
  let seen: grpc.MetadataValue[] = [];
  const server = new grpc.Server({
    interceptors: [
      (_method, call) =>
        new grpc.ServerInterceptingCall(call, {
          start: next =>
            next({
              onReceiveMetadata: received => {
                seen = received.get('x-who');
                call.sendStatus({ code: grpc.status.ABORTED, details: '' });
              },
            }),
        }),
    ],
  });
  server.addService(clusterControl.definition, implementUnary(clusterControl, HANDLERS));
  const client = new grpc.Client(`127.0.0.1:${await listen(server)}`, grpc.credentials.createInsecure());
  t.after(() => {
    client.close();
    server.forceShutdown();
  });
  const metadata = new grpc.Metadata();
  metadata.set('x-who', 'me');
  await failure(callUnary(client, clusterControl, 'ListNodes', {}, { metadata }));
  assert.deepEqual(seen, ['me']);
});

test('a call that came past the Selvedge listener reaches no handler', async t => {
  const server = new grpc.Server();
  server.addService(clusterControl.definition, implementUnary(clusterControl, HANDLERS));
  const client = new grpc.Client(`127.0.0.1:${await listen(server)}`, grpc.credentials.createInsecure());
  t.after(() => {
    client.close();
    server.forceShutdown();
  });
  const error = await failure(callUnary(client, clusterControl, 'ListNodes', {}));
  assert.equal(error.code, grpc.status.INTERNAL);
});

test('a method without a handler is found when the service is made, not when it is called', () => {
  const { ListNodes: _left, ...rest } = HANDLERS;
  assert.throws(() => Reflect.apply(implementUnary, undefined, [clusterControl, rest]), /ListNodes has no handler/);
});

test('a service or method that is not ours is a TypeError', async t => {
  assert.throws(() => serviceDefinition('selvedge.control.v1.Nothing'), TypeError);
  assert.throws(() => serviceDefinition('selvedge.control.v1.Peer'), TypeError, 'a message is no service');
  const client = await serve(t, {});
  assert.throws(() => Reflect.apply(callUnary, undefined, [client, clusterControl, 'Nothing', {}]), TypeError);
});

const unexpected = (): never => {
  throw new Error('not in this test');
};
const HANDLERS: UnaryHandlers<ClusterControlMethods> = {
  GetClusterStatus: unexpected,
  GetCaStatus: unexpected,
  ListNodes: unexpected,
  Preflight: unexpected,
  AddNode: unexpected,
  RemoveNode: unexpected,
  DrainNode: unexpected,
  TerminateNode: unexpected,
};

function serve(t: TestContext, handlers: Partial<UnaryHandlers<ClusterControlMethods>>): Promise<grpc.Client> {
  return callAs(t, 'observer', server => {
    server.addService(clusterControl.definition, implementUnary(clusterControl, { ...HANDLERS, ...handlers }));
  });
}

/** `ListNodes` answers when its signal says so, and never otherwise. */
async function serveForever(t: TestContext) {
  let begun = false;
  let aborted = false;
  const client = await serve(t, {
    ListNodes: (_request, _caller, signal) => {
      begun = true;
      return new Promise(resolve => {
        signal.addEventListener('abort', () => {
          aborted = true;
          resolve({ nodes: [], addressesRedacted: false, removed: [] });
        });
      });
    },
  });
  return { client, begun: () => begun, aborted: () => aborted };
}

async function failure(call: Promise<unknown>): Promise<grpc.ServiceError> {
  try {
    await call;
  } catch (error) {
    return error as grpc.ServiceError;
  }
  throw new assert.AssertionError({ message: 'the call did not fail' });
}
