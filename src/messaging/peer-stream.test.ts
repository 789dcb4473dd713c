import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoopbackNode, loopback } from '../../test/kit/loopback-node.ts';
import { helloOf, introductionOf, RawDialler, rawAcceptor } from '../../test/kit/raw-peer.ts';
import { until } from '../../test/kit/until.ts';

const IMPATIENT = { heartbeatIntervalMs: 20, heartbeatTimeoutMs: 100 };

test('a peer that dialled and falls silent is given up, and told so', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a', options: IMPATIENT });
  node.knows({ name: 'node-b', address: loopback(9) });
  using peer = new RawDialler(node.port).read();
  peer.call.write(helloOf('node-b'));
  await until('it is given up', () => node.logged('peer.disconnected').length > 0);
  assert.equal(node.logged('peer.disconnected')[0]?.reason, 'heartbeat_timeout');
  await until('it is told', () => peer.frames.at(-1)?.goodbye?.reason === 'heartbeat_timeout');
});

test('a peer that was dialled and falls silent is given up and dialled again', async () => {
  let calls = 0;
  using silent = await rawAcceptor(call => {
    calls += 1;
    call.on('data', () => {});
    call.write({ welcome: { introduction: introductionOf('node-b'), protocol: 1 } });
  });
  await using node = await LoopbackNode.start({ name: 'node-a', options: IMPATIENT });
  node.knows({ name: 'node-b', address: loopback(silent.port) }).streams.start();
  await until('it is given up', () => node.logged('peer.disconnected').length > 0);
  assert.equal(node.logged('peer.disconnected')[0]?.reason, 'heartbeat_timeout');
  await until('it is dialled again', () => calls > 1);
});

test('a Welcome of a node that was not looked for is refused with the reason', async () => {
  const goodbyes: (string | undefined)[] = [];
  using other = await rawAcceptor(call => {
    call.on('data', frame => {
      if (frame.body === 'goodbye') goodbyes.push(frame.goodbye?.reason);
    });
    call.on('end', () => call.end());
    call.write({ welcome: { introduction: introductionOf('node-c'), protocol: 1 } });
  });
  await using node = await LoopbackNode.start({ name: 'node-a' });
  node.knows({ name: 'node-b', address: loopback(other.port) }).streams.start();
  await until('it is refused', () => node.peer('node-b')?.state === 'refused');
  assert.equal(node.peer('node-b')?.reason, 'server_identity_mismatch');
  await until('the other side is told', () => goodbyes.includes('server_identity_mismatch'));
  assert.ok((await node.refusals('server_identity_mismatch')) > 0);
});

test('a peer that does not read gets the newest advertisement when it does, and what it missed does not pile up', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a' });
  node.knows({ name: 'node-b', address: loopback(9) });
  using peer = new RawDialler(node.port);
  peer.call.write(helloOf('node-b'));
  await until('it is connected', () => node.peer('node-b')?.state === 'connected');
  const many = 500;
  const filler = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`label-${i}`, 'x'.repeat(100)]));
  for (let i = 1; i <= many; i += 1) node.self.set({ ...node.self.value, labels: { ...filler, count: String(i) } });
  peer.read();
  const counts = () => peer.frames.flatMap(frame => frame.advertisement?.introduction?.labels.count ?? []);
  await until('the newest came', () => counts().at(-1) === String(many));
  assert.ok(counts().length < 50, `${counts().length} advertisements`);
});

test('what is new of a node is said before its goodbye, also to a peer that does not read yet', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a' });
  node.knows({ name: 'node-b', address: loopback(9) });
  using peer = new RawDialler(node.port);
  peer.call.write(helloOf('node-b'));
  await until('it is connected', () => node.peer('node-b')?.state === 'connected');
  const filler = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`label-${i}`, 'x'.repeat(100)]));
  for (let i = 1; i <= 50; i += 1) node.self.set({ ...node.self.value, labels: { ...filler, count: String(i) } });
  node.streams.endWhere(() => true, 'mode_changed');
  peer.read();
  await until('it is told why', () => peer.frames.at(-1)?.goodbye?.reason === 'mode_changed');
  assert.equal(peer.frames.at(-2)?.advertisement?.introduction?.labels.count, '50');
});

test('of what a peer says of itself in quick succession the newest counts, also right before its goodbye', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a' });
  node.knows({ name: 'node-b', address: loopback(9) });
  using peer = new RawDialler(node.port).read();
  peer.call.write(helloOf('node-b'));
  await until('it is connected', () => node.peer('node-b')?.state === 'connected');
  const seen = new Set<string | undefined>();
  node.streams.peers.subscribe(() => seen.add(node.peer('node-b')?.labels.count));
  const say = (count: string) =>
    peer.call.write({ advertisement: { introduction: introductionOf('node-b', { labels: { count } }) } });
  for (let i = 1; i <= 2_000; i += 1) say(String(i));
  await until('the newest is known', () => seen.has('2000'));
  assert.ok(seen.size < 100, `${seen.size} were passed on`);
  say('before');
  say('last');
  peer.call.write({ goodbye: { reason: 'idle', detail: '' } });
  await until('it has left', () => node.peer('node-b')?.state !== 'connected');
  assert.ok(seen.has('last'));
});
