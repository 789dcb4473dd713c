import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { connected, LoopbackNode, loopback, mutualTls, PLAINTEXT } from '../../test/kit/loopback-node.ts';
import { introductionOf, rawAcceptor } from '../../test/kit/raw-peer.ts';
import { until } from '../../test/kit/until.ts';
import type { Frame } from './frame.ts';

/** What happens is brought about by nothing that is done now and then. */
const NEVER_BEATS = { heartbeatIntervalMs: 600_000, heartbeatTimeoutMs: 1_800_000 };

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

test('a stream that was dialled follows its channel to another connection at once, without a gap', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a', options: NEVER_BEATS });
  await using b = await LoopbackNode.start({ name: 'node-b' });
  const [first, second] = [mutualTls(), mutualTls()];
  a.outbound = b.inbound = first;
  a.knows(b).streams.start();
  b.knows(a);
  await connected(a, b);
  const states = new Set<string>();
  const unsubscribe = a.streams.peers.subscribe(peers => void states.add(peers[0]?.state ?? ''));
  a.outbound = second;
  a.streams.follow('node-b');
  await until('the stream is on the new connection', () => a.peer('node-b')?.security === second);
  await until('the old one is over', () => a.logged('peer.stream_ended').length === 1);
  unsubscribe();
  assert.deepEqual([...states], ['connected']);
});

test('a stream follows the tenth rotation as soon as the first', async () => {
  // Were the waits to grow from one to the next, the last would be minutes.
  const options = { heartbeatIntervalMs: 1, reconnectMaxDelayMs: 600_000 };
  await using a = await LoopbackNode.start({ name: 'node-a', options });
  await using b = await LoopbackNode.start({ name: 'node-b' });
  a.outbound = b.inbound = mutualTls();
  a.knows(b).streams.start();
  b.knows(a);
  await connected(a, b);
  for (let rotation = 0; rotation < 16; rotation += 1) {
    const next = mutualTls();
    a.outbound = b.inbound = next;
    a.streams.follow('node-b');
    await until('the stream is on the new connection', () => a.peer('node-b')?.security === next);
  }
});

test('a node that turned plain while it dialled leaves the stream over TLS once its channel has a connection without', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a', options: NEVER_BEATS });
  await using b = await LoopbackNode.start({ name: 'node-b' });
  a.outbound = b.inbound = mutualTls();
  a.knows(b).streams.start();
  b.knows(a);
  a.self.set({ ...a.self.value, mode: 'plain' });
  await until('it has a stream', () => a.peer('node-b')?.security?.kind === 'mutual_tls');
  a.streams.follow('node-b');
  assert.equal(a.peer('node-b')?.security?.kind, 'mutual_tls', 'there is no other connection yet');
  a.outbound = b.inbound = PLAINTEXT;
  a.streams.follow('node-b');
  await until('both are without TLS', () =>
    [a.peer('node-b'), b.peer('node-a')].every(peer => peer?.state === 'connected' && peer.security?.kind === 'none'),
  );
  assert.equal(a.logged('peer.disconnected')[0]?.reason, 'mode_changed');
});
