import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MessageFailure } from '../../src/index.ts';
import { FaultCluster } from './fault-cluster.ts';
import type { Entry } from './journal.ts';
import { Network } from './network.ts';
import type { NodeProcess } from './node-process.ts';

// Three processes that send each other messages all the time, and what a network and an operating system may do to them.
const obstacle = await Network.obstacle();
const options = { skip: obstacle ?? false, timeout: 180_000 };

test(
  'SIGKILL: what was under way fails or times out, and the next process of the node is answered',
  options,
  async t => {
    const cluster = await FaultCluster.start(t);
    const [a, c] = [cluster.process('a'), cluster.process('c')];
    await a.answeredBy('b');
    await cluster.process('b').kill();
    await Promise.all([a, c].map(process => process.sees('b', 'dead')));
    await cluster.launch('b');
    await Promise.all([a, c].map(process => process.answeredBy('b')));
    await cluster.audit(t);
    for (const process of [a, c]) {
      const lives = process.livesOf('b');
      assert.deepEqual(
        lives.map(({ state }) => state),
        ['alive', 'suspect', 'dead', 'alive'],
      );
      assert.equal(lives.at(-1)?.reason, 'restarted');
      assert.notEqual(lives.at(-1)?.generation, lives[0]?.generation);
    }
    assert.deepEqual([statesOf(a, 'c'), statesOf(c, 'a')], [['alive'], ['alive']]);
  },
);

test('SIGSTOP for a moment: the process is suspected, suspects nobody, and is alive again', options, async t => {
  const cluster = await FaultCluster.start(t);
  const [a, b, c] = [cluster.process('a'), cluster.process('b'), cluster.process('c')];
  await a.answeredBy('b');
  b.pause();
  await Promise.all([a, c].map(process => process.sees('b', 'suspect')));
  b.resume();
  await Promise.all([a, c].map(process => process.sees('b', 'alive')));
  await cluster.audit(t);
  for (const process of [a, c]) assert.deepEqual(statesOf(process, 'b'), ['alive', 'suspect', 'alive']);
  for (const node of ['a', 'c']) assert.deepEqual(statesOf(b, node), ['alive']);
});

test('SIGSTOP: a stopped process is given up by the others, and answers them when it goes on', options, async t => {
  const cluster = await FaultCluster.start(t);
  const [a, b, c] = [cluster.process('a'), cluster.process('b'), cluster.process('c')];
  await a.answeredBy('b');
  b.pause();
  await Promise.all([a, c].map(process => process.sees('b', 'dead')));
  b.resume();
  await Promise.all([a, c].map(process => process.answeredBy('b')));
  await Promise.all(['a', 'c'].map(name => b.answeredBy(name)));
  await Promise.all([a, c].map(process => process.sees('b', 'alive')));
  await cluster.audit(t);
  for (const process of [a, c])
    assert.deepEqual(statesOf(process, 'b'), ['alive', 'suspect', 'dead', 'suspect', 'alive']);
  assert.deepEqual([statesOf(a, 'c'), statesOf(c, 'a')], [['alive'], ['alive']]);
});

for (const cut of ['cut', 'cutOneWay'] as const)
  test(
    `a link is cut (${cut}): both ends give the other up, a third loses neither, and a healed link is used again`,
    options,
    async t => {
      const cluster = await FaultCluster.start(t);
      const [a, b, c] = [cluster.process('a'), cluster.process('b'), cluster.process('c')];
      await a.answeredBy('b');
      await cluster.network[cut]('a', 'b');
      await Promise.all([a.sees('b', 'dead'), b.sees('a', 'dead')]);
      await cluster.network.heal('a', 'b');
      await Promise.all([a.answeredBy('b'), b.answeredBy('a')]);
      await Promise.all([a.sees('b', 'alive'), b.sees('a', 'alive')]);
      await cluster.audit(t);
      for (const [process, other] of [
        [a, 'b'],
        [b, 'a'],
      ] as const)
        assert.deepEqual(statesOf(process, other), ['alive', 'suspect', 'dead', 'suspect', 'alive']);
      for (const name of ['a', 'b']) assert.deepEqual(statesOf(c, name), ['alive']);
    },
  );

test('5 % loss and 100 ms delay: messages are answered, and nobody is given up', options, async t => {
  // Half of what a TCP connection carries over such a link.
  const cluster = await FaultCluster.start(t, { rate: 40, timeoutMs: 5_000, bulkBytes: 1_024 });
  await cluster.network.impair({ loss: 0.05, delayMs: 100 });
  await Promise.all(cluster.pairs().map(([process, other]) => process.answeredBy(other, 250)));
  const lost = (await cluster.network.counts()).map(({ dropped }) => dropped);
  assert.ok(
    lost.every(count => count > 10),
    `${lost}`,
  );
  await cluster.audit(t);
  for (const [process, other] of cluster.pairs()) assert.ok(!statesOf(process, other).includes('dead'));
});

test('SIGKILL while packets are delayed and lost: what was under way fails or times out', options, async t => {
  const cluster = await FaultCluster.start(t, { rate: 40, timeoutMs: 5_000, bulkBytes: 1_024 });
  await cluster.network.impair({ loss: 0.02, delayMs: 100 });
  const [a, c] = [cluster.process('a'), cluster.process('c')];
  await Promise.all([a, c].map(process => process.answeredBy('b')));
  await cluster.process('b').kill();
  await Promise.all([a, c].map(process => process.sees('b', 'dead')));
  await cluster.launch('b');
  await Promise.all([a, c].map(process => process.answeredBy('b')));
  await cluster.audit(t);
  for (const process of [a, c]) assert.ok(process.livesOf('b').some(({ reason }) => reason === 'restarted'));
  assert.ok(![...statesOf(a, 'c'), ...statesOf(c, 'a')].includes('dead'));
});

test(
  'a burst of more than may wait: the rest of it is refused, which is safe to retry, and nobody is given up',
  options,
  async t => {
    const cluster = await FaultCluster.start(t);
    const a = cluster.process('a');
    await a.answeredBy('b');
    const since = a.journal.length;
    a.burst({ to: 'b', count: 80, timeoutMs: 60_000 });
    await a.journaled('a refusal', entry => isFailure(entry, 'queue_full'), since);
    await Promise.all(cluster.pairs().map(([process, other]) => process.answeredBy(other)));
    const counts = await cluster.audit(t);
    assert.equal(counts.get('request failed stream_lost'), undefined);
    for (const [process, other] of cluster.pairs()) assert.ok(!statesOf(process, other).includes('dead'));
  },
);

test('a rotation while packets are delayed: streams are replaced, and no message fails for that', options, async t => {
  const cluster = await FaultCluster.start(t, { rate: 40, timeoutMs: 30_000, bulkBytes: 1_024, largeEvery: 151 });
  await cluster.network.impair({ loss: 0.01, delayMs: 100 });
  const b = cluster.process('b');
  for (let rotation = 0; rotation < 2; rotation += 1) {
    const marks = cluster.pairs().map(([process]) => process.journal.length);
    await cluster.rotate('b');
    await Promise.all(
      ['a', 'c'].map(other =>
        b.journaled(
          `another stream to ${other}`,
          entry => entry.what === 'stream_replaced' && entry.node === other,
          marks[2],
        ),
      ),
    );
    await Promise.all(cluster.pairs().map(([process, other]) => process.answeredBy(other, 50)));
  }
  const counts = await cluster.audit(t);
  assert.deepEqual([...counts.keys()].toSorted(), ['call answered', 'publish taken', 'request answered', 'send taken']);
  for (const [process, other] of cluster.pairs()) assert.ok(!statesOf(process, other).includes('dead'));
});

test(
  'a drain while packets are delayed: all that the node has sent ends, and what it took is answered',
  options,
  async t => {
    const cluster = await FaultCluster.start(t, { rate: 60, timeoutMs: 3_000, bulkBytes: 1_024, largeEvery: 151 });
    await cluster.network.impair({ loss: 0, delayMs: 100 });
    const [a, b, c] = [cluster.process('a'), cluster.process('b'), cluster.process('c')];
    await Promise.all(cluster.pairs().map(([process, other]) => process.answeredBy(other)));
    await b.drain();
    await b.kill();
    await Promise.all([a, c].map(process => process.sees('b', 'dead')));
    await cluster.launch('b');
    await Promise.all([a, c].map(process => process.answeredBy('b')));
    await cluster.audit(t);
    // A process that begins is slow: it may be suspected for a moment.
    for (const process of [a, c])
      assert.deepEqual(statesOf(process, 'b').slice(0, 4), ['alive', 'draining', 'dead', 'alive']);
    for (const process of [a, c]) assert.ok(!process.journal.some(entry => isFailure(entry, 'stream_lost')));
  },
);

function isFailure(entry: Entry, reason: MessageFailure): boolean {
  return entry.what === 'settled' && entry.outcome.kind === 'failed' && entry.outcome.reason === reason;
}

function statesOf(process: NodeProcess, node: string): readonly string[] {
  return process.livesOf(node).map(({ state }) => state);
}
