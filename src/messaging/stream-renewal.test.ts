import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { LoopbackNode, loopback, mutualTls } from '../../test/kit/loopback-node.ts';
import { introductionOf, rawAcceptor } from '../../test/kit/raw-peer.ts';
import { until } from '../../test/kit/until.ts';
import type { Frame } from './frame.ts';

type Call = grpc.ServerDuplexStream<Frame, Frame>;

/** `node-a` has a stream to `node-b`, which takes every later dial as `later` does. */
async function connectedTo(later: (call: Call) => void): Promise<AsyncDisposable & { a: LoopbackNode; first: Call }> {
  const calls: Call[] = [];
  const acceptor = await rawAcceptor(call => {
    call.on('data', () => {}).on('end', () => call.end());
    if (calls.push(call) === 1) call.write({ welcome: { introduction: introductionOf('node-b'), protocol: 1 } });
    else later(call);
  });
  const a = await LoopbackNode.start({ name: 'node-a' });
  a.outbound = mutualTls();
  a.knows({ name: 'node-b', address: loopback(acceptor.port) }).streams.start();
  await until('they are connected', () => a.peer('node-b')?.state === 'connected');
  const close = async () => {
    await a[Symbol.asyncDispose]();
    acceptor[Symbol.dispose]();
  };
  return { a, first: calls[0] as Call, [Symbol.asyncDispose]: close };
}

const failWith = (code: grpc.status, details: string) => (call: Call) => void call.emit('error', { code, details });

test('a renewal that reaches nobody is no problem of a peer whose stream is open; the same is one when it has none', async () => {
  await using pair = await connectedTo(failWith(grpc.status.INTERNAL, 'out of order'));
  const { a, first } = pair;
  const states = new Set<string>(['connected']);
  const unsubscribe = a.streams.peers.subscribe(peers => void states.add(peers[0]?.state ?? ''));
  a.outbound = mutualTls();
  await until('renewals have failed', () => a.logged('peer.not_renewed').length > 1);
  unsubscribe();
  assert.deepEqual([...states], ['connected']);
  assert.deepEqual(
    [...new Set(a.logged('peer.not_renewed').map(({ level, detail }) => `${level} ${detail}`))],
    ['debug out of order'],
  );
  assert.deepEqual(a.logged('peer.unreachable'), []);
  assert.notEqual(a.peer('node-b')?.liveness.reason, 'unreachable');

  first.write({ goodbye: { reason: 'node_closed', detail: '' } });
  await until('it is unreachable', () => a.peer('node-b')?.state === 'unreachable');
  assert.deepEqual(
    a.logged('peer.unreachable').map(({ level, detail }) => `${level} ${detail}`),
    ['warn out of order'],
  );
});

test('a renewal that is refused is said at once, while the stream is still open', async () => {
  await using pair = await connectedTo(failWith(grpc.status.PERMISSION_DENIED, 'not you'));
  const { a } = pair;
  a.outbound = mutualTls();
  await until('it is said', () => a.logged('peer.refused').length > 0);
  assert.equal(a.logged('peer.refused')[0]?.level, 'warn');
  assert.equal(a.logged('peer.refused')[0]?.reason, 'permission_denied');
  assert.equal(a.peer('node-b')?.state, 'connected');
});
