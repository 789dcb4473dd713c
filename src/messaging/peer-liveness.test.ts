import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoopbackNode, loopback } from '../../test/kit/loopback-node.ts';
import { helloOf, RawDialler } from '../../test/kit/raw-peer.ts';
import { until } from '../../test/kit/until.ts';

const FAST = { heartbeatIntervalMs: 20 };
const QUICK_DEATH = { heartbeatIntervalMs: 50, heartbeatTimeoutMs: 400 };

const livenessOf = (node: LoopbackNode, name = 'node-b') => node.peer(name)?.liveness;

/** Changes of the state that were logged, in order. */
const changes = (node: LoopbackNode) =>
  node.log.filter(({ event }) => /^peer\.(suspect|dead|alive)$/.test(event)).map(({ event }) => event);

async function isAlive(node: LoopbackNode): Promise<void> {
  await until('the peer is alive', () => livenessOf(node)?.state === 'alive');
}

async function counted(node: LoopbackNode, liveness: string): Promise<number | undefined> {
  const { values } = await node.metrics.members.get();
  return values.find(({ labels }) => labels.liveness === liveness)?.value;
}

test('a peer that falls silent is suspect while its stream is open, and alive when it was heard for a while', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a', options: FAST });
  node.knows({ name: 'node-b', address: loopback(9) });
  assert.deepEqual([livenessOf(node)?.state, livenessOf(node)?.reason], ['unknown', 'never_heard']);
  node.streams.start();
  await until('it was dialled in vain', () => livenessOf(node)?.reason === 'unreachable');
  assert.equal(livenessOf(node)?.state, 'unknown');
  assert.equal(await counted(node, 'unknown'), 1);

  using peer = new RawDialler(node.port).read();
  peer.call.write(helloOf('node-b'));
  await until('it is suspect', () => livenessOf(node)?.state === 'suspect');
  const { reason, generation, since } = livenessOf(node) ?? {};
  assert.deepEqual([reason, generation, node.peer('node-b')?.state], ['silence', 1, 'connected']);
  assert.deepEqual([await counted(node, 'suspect'), await counted(node, 'unknown')], [1, 0]);
  const [logged] = node.logged('peer.suspect');
  assert.deepEqual([logged?.node, logged?.reason, logged?.was], ['node-b', 'silence', 'alive']);

  let sequence = 0;
  await until('it is alive again', () => {
    sequence += 1;
    peer.call.write({ heartbeat: { sequence } });
    return livenessOf(node)?.reason === 'recovered';
  });
  assert.ok(Number(livenessOf(node)?.since) >= Number(since) + 2 * FAST.heartbeatIntervalMs);
  assert.equal(node.logged('peer.connected').length, 1, 'over the same stream');
});

test('a peer that is killed is suspect, then dead; who takes its place is alive at once', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a', options: QUICK_DEATH });
  await using first = await LoopbackNode.start({ name: 'node-b', generation: 1, options: FAST });
  a.knows(first).streams.start();
  first.knows(a);
  await isAlive(a);
  first.kill();
  await until('it is dead', () => livenessOf(a)?.state === 'dead');
  assert.deepEqual(changes(a).slice(-2), ['peer.suspect', 'peer.dead']);
  assert.equal(livenessOf(a)?.generation, 1);
  assert.equal(await counted(a, 'dead'), 1);

  await using second = await LoopbackNode.start({ name: 'node-b', generation: 2, port: first.port, options: FAST });
  second.knows(a);
  await until('the new process is there', () => livenessOf(a)?.generation === 2);
  const [back] = a.logged('peer.alive').filter(({ reason }) => reason === 'restarted');
  assert.deepEqual([back?.was, back?.generation, back?.node], ['dead', 2, 'node-b']);
});

test('a peer that leaves in order drains, and is dead at its goodbye without a suspicion', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await using b = await LoopbackNode.start({ name: 'node-b' });
  a.knows(b).streams.start();
  b.knows(a);
  await isAlive(a);
  await b.streams.announceDraining(30_000);
  await until('it drains', () => livenessOf(a)?.state === 'draining');
  const { length } = a.log;
  await b.streams.close('node_draining');
  await until('it is dead', () => livenessOf(a)?.state === 'dead');
  assert.equal(livenessOf(a)?.reason, 'node_draining');
  const said = a.log.slice(length).filter(({ event }) => event.startsWith('peer.'));
  assert.ok(!said.some(({ event }) => event === 'peer.suspect'));
  assert.equal(said.find(({ event }) => event === 'peer.dead')?.was, 'draining');
});

test('nobody is suspect for being removed from the members', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a' });
  await using b = await LoopbackNode.start({ name: 'node-b' });
  a.knows(b).streams.start();
  b.knows(a);
  await isAlive(a);
  a.members.set([]);
  await until('its stream is over', () => a.logged('peer.disconnected').length === 1);
  assert.deepEqual([a.logged('peer.disconnected')[0]?.reason, changes(a)], ['not_a_member', []]);
});

test('a process whose event loop was blocked suspects nobody for it', async () => {
  await using a = await LoopbackNode.start({ name: 'node-a', options: FAST });
  await using b = await LoopbackNode.start({ name: 'node-b', options: FAST });
  a.knows(b).streams.start();
  b.knows(a).streams.start();
  await isAlive(a);
  const heartbeats = () => (a.received.heartbeat ?? 0) + (b.received.heartbeat ?? 0);
  const moreHeartbeats = async () => {
    const before = heartbeats();
    await until('more heartbeats', () => heartbeats() > before + 5);
  };
  await moreHeartbeats();
  const suspected = () => a.logged('peer.suspect').length + b.logged('peer.suspect').length;
  const before = suspected();
  for (let i = 0; i < 3; i += 1) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20 * FAST.heartbeatIntervalMs);
    await moreHeartbeats();
  }
  assert.equal(suspected(), before);
});
