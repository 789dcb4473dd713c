import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disconnected, FaultCluster } from './fault-cluster.ts';
import { Network } from './network.ts';

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
    const marks = [a, c].map(process => process.journal.length);
    await cluster.process('b').kill();
    for (const [index, process] of [a, c].entries())
      await process.journaled('b disconnected', disconnected('b'), marks[index]);
    await cluster.launch('b');
    for (const process of [a, c]) await process.answeredBy('b');
    await cluster.audit(t);
    assert.deepEqual([a.statesOf('c'), c.statesOf('a')], [['connected'], ['connected']]);
  },
);

test('SIGSTOP: a stopped process is given up by the others, and answers them when it goes on', options, async t => {
  const cluster = await FaultCluster.start(t);
  const [a, b, c] = [cluster.process('a'), cluster.process('b'), cluster.process('c')];
  await a.answeredBy('b');
  b.pause();
  for (const process of [a, c]) await process.journaled('b given up', disconnected('b', 'heartbeat_timeout'));
  b.resume();
  for (const process of [a, c]) await process.answeredBy('b');
  for (const name of ['a', 'c']) await b.answeredBy(name);
  await cluster.audit(t);
  assert.deepEqual([a.statesOf('c'), c.statesOf('a')], [['connected'], ['connected']]);
});

test(
  'a cut link: both ends give the other up, a third loses neither, and a healed link is used again',
  options,
  async t => {
    const cluster = await FaultCluster.start(t);
    const [a, b, c] = [cluster.process('a'), cluster.process('b'), cluster.process('c')];
    await a.answeredBy('b');
    await cluster.network.cut('a', 'b');
    await a.journaled('b given up', disconnected('b', 'heartbeat_timeout'));
    await b.journaled('a given up', disconnected('a', 'heartbeat_timeout'));
    await cluster.network.heal('a', 'b');
    await a.answeredBy('b');
    await b.answeredBy('a');
    await cluster.audit(t);
    for (const name of ['a', 'b']) assert.deepEqual(c.statesOf(name), ['connected']);
  },
);

test('a link cut one way: both ends give the other up, and a healed link is used again', options, async t => {
  const cluster = await FaultCluster.start(t);
  const [a, b, c] = [cluster.process('a'), cluster.process('b'), cluster.process('c')];
  await a.answeredBy('b');
  await cluster.network.cutOneWay('a', 'b');
  await b.journaled('a given up', disconnected('a', 'heartbeat_timeout'));
  await a.journaled('b given up', disconnected('b'));
  await cluster.network.heal('a', 'b');
  await a.answeredBy('b');
  await b.answeredBy('a');
  await cluster.audit(t);
  for (const name of ['a', 'b']) assert.deepEqual(c.statesOf(name), ['connected']);
});

test('5 % loss and 100 ms delay: messages are answered, and nobody is given up', options, async t => {
  // Half of what a TCP connection carries over such a link.
  const cluster = await FaultCluster.start(t, { rate: 50, timeoutMs: 5_000, bulkBytes: 1_024 });
  await cluster.network.impair({ loss: 0.05, delayMs: 100 });
  const pairs = ['a', 'b', 'c'].flatMap(from =>
    ['a', 'b', 'c'].filter(to => to !== from).map(to => ({ process: cluster.process(from), to })),
  );
  await Promise.all(pairs.map(({ process, to }) => process.answeredBy(to, 250)));
  const lost = (await cluster.network.counts()).map(({ dropped }) => dropped);
  assert.ok(
    lost.every(count => count > 10),
    `${lost}`,
  );
  await cluster.audit(t);
  for (const { process, to } of pairs)
    assert.deepEqual(process.statesOf(to), ['connected'], `${process.name} of ${to}`);
});
