import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as grpc from '@grpc/grpc-js';
import { connected, LoopbackNode, loopback, mutualTls, PLAINTEXT } from '../../test/kit/loopback-node.ts';
import { rawAcceptor } from '../../test/kit/raw-peer.ts';
import { until } from '../../test/kit/until.ts';
import type { Frame } from './frame.ts';

test('two nodes that dial each other at once end with one stream, and the loser is not dialled again', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await using b = await LoopbackNode.start({ name: 'node-b' });
  a.knows(b).streams.start();
  b.knows(a).streams.start();
  await connected(a, b);

  const hellos = () => (a.received.hello ?? 0) + (b.received.hello ?? 0);
  await until(
    'every dial that was under way is over',
    () => (b.received.heartbeat ?? 0) + (a.received.heartbeat ?? 0) > 2,
  );
  await connected(a, b);
  const before = hellos();
  const heartbeats = (b.received.heartbeat ?? 0) + (a.received.heartbeat ?? 0);
  await until(
    'many waits of the backoff have passed',
    () => (b.received.heartbeat ?? 0) + (a.received.heartbeat ?? 0) > heartbeats + 10,
  );
  assert.equal(hellos(), before);
  assert.ok(before <= 2, `${before} Hellos`);
  for (const node of [a, b]) {
    assert.equal(node.logged('peer.connected').length, 1);
    assert.equal(node.logged('peer.disconnected').length, 0, `${node.name} is never without a stream`);
  }
});

test('the table of each node says who the other is', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a', generation: 7 });
  await using b = await LoopbackNode.start({ name: 'node-b', generation: 9 });
  a.knows(b);
  b.knows(a);
  assert.equal(a.peer('node-b')?.state, 'connecting');
  a.streams.start();
  await connected(a, b);
  const { generation, mode, labels, version, direction, security, reason } = a.peer('node-b') ?? {};
  assert.deepEqual(
    { generation, mode, labels, version, direction, security, reason },
    {
      generation: 9,
      mode: 'plain',
      labels: { role: 'node-b' },
      version: '0.0.0',
      direction: 'outbound',
      security: PLAINTEXT,
      reason: undefined,
    },
  );
  assert.equal(b.peer('node-a')?.generation, 7);
  assert.equal(b.streams.nodeOf(1), 'node-a');
  assert.equal((await a.metrics.plaintextPeers.get()).values[0]?.value, 1);
});

test('a wrong cluster name is refused, and both sides log the reason', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await using b = await LoopbackNode.start({ name: 'node-b', cluster: 'other' });
  a.knows(b).streams.start();
  b.knows(a);
  await until('node-a is refused', () => a.peer('node-b')?.state === 'refused');
  assert.equal(a.peer('node-b')?.reason, 'cluster_mismatch');
  await until('node-a tried again', async () => (await b.refusals('cluster_mismatch')) > 2);

  const [there, ...moreThere] = b.logged('connection.refused');
  const [here, ...moreHere] = a.logged('peer.refused');
  assert.deepEqual([there?.reason, there?.node, moreThere.length], ['cluster_mismatch', 'node-a', 0]);
  assert.deepEqual([here?.reason, here?.node, here?.by, moreHere.length], ['cluster_mismatch', 'node-b', 'peer', 0]);
  assert.doesNotMatch(String(a.peer('node-b')?.detail), /other/, 'the refusal does not say what would be allowed');
});

test('a node whose name a newer generation holds and has proven is refused, also after that one is gone', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await using stale = await LoopbackNode.start({ name: 'node-b', generation: 1 });
  a.inbound = mutualTls();
  stale.outbound = mutualTls();
  a.knows(stale);
  {
    await using newer = await LoopbackNode.start({ name: 'node-b', generation: 2 });
    newer.outbound = mutualTls();
    newer.knows(a).streams.start();
    await connected(a, newer);
    stale.knows(a).streams.start();
    await until('the older one is refused', () => stale.peer('node-a')?.reason === 'stale_generation');
    assert.equal(a.peer('node-b')?.generation, 2, 'the newer one stays');
  }
  await until('the newer one is gone', () => a.peer('node-b')?.state !== 'connected');
  const tries = await a.refusals('stale_generation');
  await until('the older one tried again', async () => (await a.refusals('stale_generation')) > tries + 2);
  assert.equal(a.peer('node-b')?.generation, 2);
  assert.equal(a.logged('connection.refused')[0]?.reason, 'stale_generation');
  assert.equal(stale.logged('peer.refused')[0]?.reason, 'stale_generation');
});

test('a newer generation that nobody proved counts while its stream is open, and locks nobody out after that', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await using real = await LoopbackNode.start({ name: 'node-b', generation: 1 });
  a.knows(real);
  {
    await using claimed = await LoopbackNode.start({ name: 'node-b', generation: 5_000_000_000_000_000 });
    claimed.knows(a).streams.start();
    await connected(a, claimed);
    real.knows(a).streams.start();
    await until('the real one is refused', () => real.peer('node-a')?.reason === 'stale_generation');
  }
  await connected(a, real);
});

test('a newer generation takes the place of an older one that still seems alive', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await using older = await LoopbackNode.start({ name: 'node-b', generation: 1 });
  await using newer = await LoopbackNode.start({ name: 'node-b', generation: 2 });
  a.knows(newer);
  older.knows(a).streams.start();
  await connected(a, older);
  newer.knows(a).streams.start();
  await until('the newer one is connected', () => a.peer('node-b')?.generation === 2);
  await until('the older one is told why', () => older.logged('peer.disconnected')[0]?.reason === 'stale_generation');
  assert.equal(a.logged('peer.disconnected').length, 0);
});

test('after a peer came back under the same address it is connected again', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  const first = await LoopbackNode.start({ name: 'node-b', generation: 1 });
  a.knows(first).streams.start();
  first.knows(a);
  await connected(a, first);
  first.kill();
  await until('the stream ended', () => a.peer('node-b')?.state !== 'connected');
  assert.ok(
    a.logged('peer.disconnected').some(({ node, reason }) => node === 'node-b' && reason === 'connection_error'),
  );
  await first[Symbol.asyncDispose]();
  await until('nobody answers', () => a.peer('node-b')?.state === 'unreachable');
  assert.match(String(a.peer('node-b')?.detail), /ECONNREFUSED/);

  await using second = await LoopbackNode.start({ name: 'node-b', generation: 2, port: first.port });
  second.knows(a);
  await connected(a, second);
  assert.equal(a.peer('node-b')?.generation, 2);
});

test('a draining node is acknowledged by its peers, who show it and pause its channel', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await using b = await LoopbackNode.start({ name: 'node-b' });
  a.knows(b).streams.start();
  b.knows(a).streams.start();
  await connected(a, b);
  await b.streams.announceDraining(600_000);
  assert.equal(a.peer('node-b')?.state, 'draining');
  assert.deepEqual(a.paused, ['node-b']);
  assert.equal(a.logged('peer.draining')[0]?.node, 'node-b');

  await b.streams.close('node_draining');
  await until('node-a heard the goodbye', () => a.peer('node-b')?.state !== 'draining');
  const ended = a.logged('peer.disconnected').find(({ reason }) => reason === 'node_draining');
  assert.deepEqual([ended?.node, ended?.by], ['node-b', 'peer']);
});

test('a draining node without peers does not wait', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await a.streams.announceDraining(600_000);
});

test('what a node says of itself is learned, at the Hello and when it changes', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await using b = await LoopbackNode.start({ name: 'node-b' });
  a.outbound = b.inbound = mutualTls();
  a.knows(b).streams.start();
  b.knows(a);
  await connected(a, b);
  assert.deepEqual(a.learned[0], { name: 'node-b', addresses: [b.address], overMutualTls: true });
  assert.deepEqual(b.learned[0], { name: 'node-a', addresses: [a.address], overMutualTls: true });

  const addresses = [loopback(1, 'https'), b.address];
  b.self.set({ ...b.self.value, mode: 'optional', addresses });
  await until('node-a heard of it', () => a.peer('node-b')?.mode === 'optional');
  assert.deepEqual(a.learned.at(-1), { name: 'node-b', addresses, overMutualTls: true });
});

test('only members are let in where the source lists names', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await using b = await LoopbackNode.start({ name: 'node-b' });
  b.knows(a).streams.start();
  await until('the stranger is refused', () => b.peer('node-a')?.reason === 'not_a_member');
  assert.deepEqual(a.streams.peers.value, []);
  a.knows(b);
  await until('it is let in once it is listed', () => a.peer('node-b')?.state === 'connected');
  await connected(a, b);

  a.members.set([]);
  await until('it is told that it is no member', () =>
    b.logged('peer.disconnected').some(({ reason }) => reason === 'not_a_member'),
  );
  assert.deepEqual(a.streams.peers.value, []);
});

test('a stranger is let in where no source lists names, and forgotten when it leaves', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a', lists: false });
  const b = await LoopbackNode.start({ name: 'node-b' });
  b.knows(a).streams.start();
  await connected(a, b);
  await b[Symbol.asyncDispose]();
  await until('the stranger is forgotten', () => a.streams.peers.value.length === 0);
});

test('where no source lists names, what a stranger said counts as soon as it is a member', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a', lists: false });
  await using b = await LoopbackNode.start({ name: 'node-b' });
  b.knows(a).streams.start();
  a.streams.start();
  await until('the stranger is there', () => a.peer('node-b')?.state === 'connected');
  a.learned.length = 0;
  a.knows(b);
  assert.deepEqual(
    a.learned.map(({ name, addresses }) => [name, addresses]),
    [['node-b', [b.address]]],
  );
  a.knows();
  assert.equal(a.peer('node-b')?.state, 'connected', 'the stream of a stranger stays');
});

test('where no source lists names, a dial to who is no member any more is given up', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a', lists: false });
  const calls: grpc.ServerDuplexStream<Frame, Frame>[] = [];
  using silent = await rawAcceptor(call => void calls.push(call.on('error', () => {})));
  a.knows({ name: 'node-b', address: loopback(silent.port) }).streams.start();
  await until('it is dialled', () => calls.length > 0);
  a.knows();
  await until('the dial is given up', () => calls[0]?.cancelled === true);
  assert.deepEqual(a.streams.peers.value, []);
});

test('a peer that does not prove its name is refused without being told what would prove it', async () => {
  const provesNode = () => ({ ok: false, detail: 'expected uri:spiffe://test/node-b' }) as const;
  await using a = await LoopbackNode.start({ name: 'node-a', provesNode });
  await using b = await LoopbackNode.start({ name: 'node-b' });
  a.knows(b);
  b.knows(a).streams.start();
  await until('it is refused', () => b.peer('node-a')?.reason === 'node_identity_mismatch');
  assert.doesNotMatch(String(b.peer('node-a')?.detail), /spiffe/);
  assert.match(String(a.logged('connection.refused')[0]?.detail), /spiffe/);
});

test('a dial that reaches another node than it looks for leaves the streams of that node alone', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await using b = await LoopbackNode.start({ name: 'node-b' });
  b.knows(a);
  a.knows(b, { name: 'node-c', address: b.address }).streams.start();
  await connected(a, b);
  await until('the wrong address shows', () => a.peer('node-c')?.reason === 'node_identity_mismatch');
  assert.equal(a.peer('node-b')?.state, 'connected');
  assert.equal(b.logged('peer.connected').length, 1);
});

test('a plaintext Hello never displaces a live stream over mutual TLS, whatever generation it claims', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await using b = await LoopbackNode.start({ name: 'node-b', generation: 5 });
  await using impostor = await LoopbackNode.start({ name: 'node-b', generation: 99 });
  a.inbound = b.outbound = mutualTls();
  a.knows(b);
  b.knows(a).streams.start();
  await connected(a, b);

  a.inbound = PLAINTEXT;
  impostor.knows(a).streams.start();
  await until('it is turned away again and again', () => (a.received.hello ?? 0) > 3);
  await until('it knows why', () => impostor.peer('node-a')?.reason === 'duplicate_stream');
  assert.equal(a.peer('node-b')?.generation, 5);
  assert.equal(a.logged('peer.connected').length, 1);

  // From here on every Hello that comes to node-a counts as proven, so there must be none of the impostor's left.
  await impostor.streams.close();
  const heartbeats = a.received.heartbeat ?? 0;
  await until('what it sent has been read', () => (a.received.heartbeat ?? 0) > heartbeats + 3);
  a.inbound = mutualTls();
  b.streams.endWhere(({ kind }) => kind === 'mutual_tls', 'mode_changed');
  await until(
    'the real one comes back although a newer generation was claimed',
    () => a.logged('peer.connected').length > 1,
  );
  await until('it is the real one', () => a.peer('node-b')?.generation === 5);
});

test('a plaintext stream gives way to mutual TLS as soon as that is possible, without a gap', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await using b = await LoopbackNode.start({ name: 'node-b' });
  a.knows(b).streams.start();
  b.knows(a);
  await connected(a, b);
  const states = new Set<string>();
  const unsubscribe = a.streams.peers.subscribe(peers => void states.add(peers[0]?.state ?? ''));

  a.outbound = b.inbound = mutualTls();
  a.self.set({ ...a.self.value, mode: 'optional' });
  a.members.set([{ name: 'node-b', addresses: [loopback(b.port, 'https')], labels: {} }]);
  await until('both are on mutual TLS', () =>
    [a.peer('node-b'), b.peer('node-a')].every(peer => peer?.security?.kind === 'mutual_tls'),
  );
  unsubscribe();
  assert.deepEqual([...states], ['connected']);
  assert.equal((await a.metrics.plaintextPeers.get()).values[0]?.value, 0);
});

test('the stream over one inbound connection can be ended with a reason, and is dialled again', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await using b = await LoopbackNode.start({ name: 'node-b' });
  a.knows(b).streams.start();
  b.knows(a);
  await connected(a, b);
  b.streams.endConnection(1, 'credentials_rotated');
  await until('node-a is told why', () =>
    a.logged('peer.disconnected').some(({ reason, by }) => reason === 'credentials_rotated' && by === 'peer'),
  );
  await connected(a, b);
});
