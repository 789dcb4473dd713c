import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoopbackNode, loopback } from '../../test/kit/loopback-node.ts';
import { helloOf, introductionOf, RawDialler, rawAcceptor } from '../../test/kit/raw-peer.ts';
import { until } from '../../test/kit/until.ts';
import type { Frame } from './frame.ts';
import type { PeerStreamsOptions } from './peer-parts.ts';
import { watchedMembers } from './watched-members.ts';

type Changes = Partial<PeerStreamsOptions>;

const WATCHES_TWO: Changes = { watchedMembers: 2, idleTimeoutMs: 100 };

/** Nodes that all list each other, and close together. */
class Nodes implements AsyncDisposable {
  readonly all: LoopbackNode[] = [];

  static async start(count: number, options: Changes = WATCHES_TWO): Promise<Nodes> {
    const nodes = new Nodes();
    for (let index = 1; index <= count; index += 1)
      nodes.all.push(await LoopbackNode.start({ name: `node-${index}`, options }));
    nodes.list(nodes.all);
    for (const { streams } of nodes.all) streams.start();
    return nodes;
  }

  /** These are the members from now on. */
  list(members: readonly LoopbackNode[]): void {
    for (const node of this.all) node.knows(...members.filter(member => member !== node));
  }

  /** Whether each of `members` has the streams that the ring of them gives it, and no others. */
  haveStreamsOfRing(members: readonly LoopbackNode[], limit: number): boolean {
    const names = members.map(({ name }) => name);
    const watched = new Map(names.map(name => [name, watchedMembers(name, names, limit)]));
    const pairs = (node: LoopbackNode) =>
      names.filter(name => watched.get(node.name)?.has(name) || watched.get(name)?.has(node.name)).sort();
    return members.every(node => streamsOf(node).join() === pairs(node).join());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map(node => node[Symbol.asyncDispose]()));
  }
}

function streamsOf(node: LoopbackNode): readonly string[] {
  return node.streams.peers.value.filter(({ state }) => state === 'connected').map(({ name }) => name);
}

const NAMES: readonly string[] = Array.from({ length: 12 }, (_, index) => `node-${index}`);
const WATCHES_ONE: Changes = { watchedMembers: 1, idleTimeoutMs: 100 };
const watches = (one: string, other: string) => watchedMembers(one, NAMES, 1).has(other);
const SELF = 'node-0';
/** Neither watches the other. */
const UNWATCHED =
  NAMES.find(name => name !== SELF && !watches(SELF, name) && !watches(name, SELF)) ?? assert.fail('all are watched');

/** A node of twelve that watches one of them. All but those with a port are nowhere. */
async function aloofNode(
  name: string,
  ports: Readonly<Record<string, number>>,
  changes: Changes = {},
): Promise<LoopbackNode> {
  const node = await LoopbackNode.start({ name, options: { ...WATCHES_ONE, ...changes } });
  const others = NAMES.filter(other => other !== name);
  return node.knows(...others.map(other => ({ name: other, address: loopback(ports[other] ?? 9) })));
}

/** Two of them, neither of which watches the other. */
async function aloofNodes(changes: Changes = {}): Promise<readonly [LoopbackNode, LoopbackNode]> {
  const b = await aloofNode(UNWATCHED, {}, changes);
  const a = await aloofNode(SELF, { [UNWATCHED]: b.port }, changes);
  b.members.set(b.members.value.map(member => (member.name === SELF ? { ...member, addresses: [a.address] } : member)));
  return [a, b];
}

test('of twelve nodes that watch two, each has the streams to those it watches and those that watch it', async () => {
  await using nodes = await Nodes.start(12);
  await until('the streams are those of the ring', () => nodes.haveStreamsOfRing(nodes.all, 2));
  const heartbeats = () => nodes.all.map(({ received }) => received.heartbeat ?? 0).reduce((sum, each) => sum + each);
  const before = heartbeats();
  await until('idle timeouts have passed', () => heartbeats() > before + 200);
  assert.ok(nodes.haveStreamsOfRing(nodes.all, 2), 'no watched stream is taken for an idle one');
  for (const node of nodes.all) {
    assert.equal(node.streams.peers.value.length, 11);
    for (const { name, state, reason } of node.streams.peers.value)
      if (!streamsOf(node).includes(name)) assert.deepEqual([state, reason], ['idle', undefined]);
    assert.equal(node.logged('peer.disconnected').length, 0, 'what is needed never ended');
  }
});

test('who joins and who leaves moves the streams to those of the new ring', async () => {
  await using nodes = await Nodes.start(8);
  const [leaving, ...staying] = nodes.all;
  const founders = nodes.all.slice(0, 6);
  nodes.list(founders);
  await until('the streams are those of six', () => nodes.haveStreamsOfRing(founders, 2));
  nodes.list(nodes.all);
  await until('the streams are those of eight', () => nodes.haveStreamsOfRing(nodes.all, 2));
  nodes.list(staying);
  await until('the streams are those of seven', () => nodes.haveStreamsOfRing(staying, 2));
  for (const node of staying) assert.equal(node.peer(leaving?.name ?? ''), undefined);
});

test('while a node is in optional it watches everybody, and what it learned outlives that', async () => {
  await using nodes = await Nodes.start(6);
  const [first] = nodes.all;
  assert.ok(first !== undefined);
  await until('the streams are those of the ring', () => nodes.haveStreamsOfRing(nodes.all, 2));
  first.self.set({ ...first.self.value, mode: 'optional' });
  assert.ok(
    first.streams.peers.value.every(({ state }) => state !== 'idle'),
    'nobody is idle from that moment on',
  );
  await until('it is connected to all', () => streamsOf(first).length === 5);
  first.self.set({ ...first.self.value, mode: 'strict' });
  await until('the streams are those of the ring again', () => nodes.haveStreamsOfRing(nodes.all, 2));
  for (const { name, state, labels, mode, zone, weight } of first.streams.peers.value)
    if (state === 'idle')
      assert.deepEqual(
        [labels, mode, zone, weight],
        [{ role: name }, 'plain', `zone of ${name}`, 0],
        'what it said still counts',
      );
});

test('a member that is demanded is dialled, and its stream ends when nobody needed it for the idle timeout', async () => {
  const [a, b] = await aloofNodes();
  await using _a = a;
  await using _b = b;
  a.streams.start();
  b.streams.start();
  assert.deepEqual([a.peer(b.name)?.state, b.peer(a.name)?.state], ['idle', 'idle']);

  a.streams.demand(b.name);
  assert.equal(a.peer(b.name)?.state, 'connecting');
  await until('both have the stream', () =>
    [a.peer(b.name), b.peer(a.name)].every(peer => peer?.state === 'connected'),
  );
  assert.equal(a.peer(b.name)?.direction, 'outbound');
  await until('both let go', () => [a.peer(b.name), b.peer(a.name)].every(peer => peer?.state === 'idle'));
  for (const [node, by] of [
    [a, 'us'],
    [b, 'peer'],
  ] as const) {
    const [ended, ...more] = node.logged('peer.disconnected');
    assert.deepEqual([ended?.reason, ended?.by, ended?.level, more.length], ['idle', by, 'debug', 0]);
  }

  a.streams.demand(b.name);
  await until('it is connected again', () => a.logged('peer.connected').length === 2);
  assert.deepEqual(
    a.logged('peer.connected').map(({ level }) => level),
    ['info', 'debug'],
  );
});

test('who needs a stream that the other side ended as idle dials at once', async () => {
  const [a, b] = await aloofNodes();
  await using _a = a;
  await using _b = b;
  a.streams.start();
  b.streams.start();
  a.streams.demand(b.name);
  await until('it is connected', () => b.peer(a.name)?.state === 'connected');
  await until('the one that dialled ends it, and the other one dials', () => {
    b.streams.demand(a.name);
    return b.peer(a.name)?.direction === 'outbound';
  });
  assert.equal(b.logged('peer.disconnected')[0]?.reason, 'idle');
});

test('a call that runs over the channel keeps the stream, as traffic does', async () => {
  const [a, b] = await aloofNodes();
  await using _a = a;
  await using _b = b;
  a.openCalls = 1;
  a.streams.start();
  a.streams.demand(b.name);
  await until('it is connected', () => a.peer(b.name)?.state === 'connected');
  const heartbeats = b.received.heartbeat ?? 0;
  await until('idle timeouts have passed', () => (b.received.heartbeat ?? 0) > heartbeats + 20);
  assert.equal(a.logged('peer.disconnected').length, 0);
  a.openCalls = 0;
  await until('it is idle', () => a.peer(b.name)?.state === 'idle');
});

test('two nodes that demand each other at once end with one stream', async () => {
  const [a, b] = await aloofNodes({ idleTimeoutMs: 600_000 });
  await using _a = a;
  await using _b = b;
  a.streams.start();
  b.streams.start();
  a.streams.demand(b.name);
  b.streams.demand(a.name);
  const agreed = () =>
    a.peer(b.name)?.state === 'connected' &&
    b.peer(a.name)?.state === 'connected' &&
    a.peer(b.name)?.direction !== b.peer(a.name)?.direction;
  await until('they agree on one', agreed);
  const heartbeats = () => (a.received.heartbeat ?? 0) + (b.received.heartbeat ?? 0);
  const before = heartbeats();
  await until('every dial that was under way is over', () => heartbeats() > before + 4);
  assert.ok(agreed());
  for (const node of [a, b]) {
    assert.equal(node.logged('peer.connected').length, 1);
    assert.equal(node.logged('peer.disconnected').length, 0);
  }
});

test('a member that is demanded and not there is dialled for the idle timeout, then it is idle again', async () => {
  const [a, b] = await aloofNodes();
  await using _a = a;
  await b[Symbol.asyncDispose]();
  a.streams.start();
  a.streams.demand(b.name);
  await until('nobody answers', () => a.peer(b.name)?.state === 'unreachable');
  await until('it is given up', () => a.peer(b.name)?.state === 'idle');
});

for (const { protocol, says, isKept, what } of [
  { protocol: 2, says: false, isKept: true, what: 'of a version that knows no such word' },
  { protocol: 3, says: undefined, isKept: true, what: 'that does not say' },
  { protocol: 3, says: true, isKept: true, what: 'that says it watches' },
  { protocol: 3, says: false, isKept: false, what: 'that says it does not watch' },
])
  test(`a stream that nobody here needs to a peer ${what} is ${isKept ? 'kept' : 'ended'}`, async () => {
    const frames: Frame[] = [];
    using peer = await rawAcceptor(call => {
      call.on('data', (frame: Frame) => void frames.push(frame));
      call.write({ welcome: { introduction: introductionOf(UNWATCHED), protocol } });
      if (says !== undefined) call.write({ watch: { watches: says } });
    });
    await using node = await aloofNode(SELF, { [UNWATCHED]: peer.port });
    node.streams.start();
    node.streams.demand(UNWATCHED);
    await until('it is connected', () => node.peer(UNWATCHED)?.state === 'connected');
    const heard = (kind: keyof Frame) => frames.filter(({ body }) => body === kind);
    if (isKept) await until('idle timeouts have passed', () => heard('heartbeat').length > 20);
    else await until('it is told why', () => heard('goodbye').length > 0);
    assert.deepEqual(
      heard('goodbye').map(({ goodbye }) => goodbye?.reason),
      isKept ? [] : ['idle'],
    );
    assert.deepEqual(
      heard('watch').map(({ watch }) => watch?.watches),
      protocol < 3 ? [] : [false],
    );
  });

test('a peer that dialled is told whether it is watched, whenever that changes, and its stream is left to it', async () => {
  await using node = await aloofNode(SELF, {});
  node.streams.start();
  using peer = new RawDialler(node.port).read();
  peer.call.write(helloOf(UNWATCHED, {}, 3));
  const told = () => peer.frames.filter(({ body }) => body === 'watch').map(({ watch }) => watch?.watches);
  await until('it is told', () => told().length > 0);
  peer.call.write({ watch: { watches: false } });
  node.self.set({ ...node.self.value, mode: 'optional' });
  node.self.set({ ...node.self.value, mode: 'plain' });
  await until('it is told of the changes', () => told().length === 3);
  assert.deepEqual(told(), [false, true, false]);
  const heartbeats = () => peer.frames.filter(({ body }) => body === 'heartbeat').length;
  await until('idle timeouts have passed', () => heartbeats() > 20);
  assert.equal(node.peer(UNWATCHED)?.state, 'connected');
});

test('a member whose stream broke is dialled until it is heard, though nobody here needs a stream to it', async () => {
  const [a, b] = await aloofNodes();
  await using _a = a;
  await using _b = b;
  a.streams.start();
  using peer = new RawDialler(a.port).read();
  peer.call.write(helloOf(UNWATCHED));
  const seen = () => a.peer(UNWATCHED);
  await until('it is connected', () => seen()?.liveness.state === 'alive');
  assert.equal(b.received.hello, undefined);
  peer.call.cancel();
  await until('it is dialled', () => (b.received.hello ?? 0) > 0);
  assert.equal(a.logged('peer.suspect')[0]?.node, UNWATCHED);
  await until('nobody needs it', () => seen()?.state === 'idle');
  assert.deepEqual([seen()?.liveness.state, seen()?.liveness.reason], ['unknown', 'idle']);
});
