import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { startFakeEtcd } from '../../test/kit/fake-etcd.ts';
import { until } from '../../test/kit/until.ts';
import { EtcdClient } from './etcd-client.ts';
import { etcdFailureOf } from './etcd-failure.ts';
import type { EtcdEvents, EtcdWatchParts } from './etcd-watch.ts';

test('keys are read, written under conditions and kept under leases', async t => {
  const { etcd, client } = await setUp(t);
  etcd.write({ '/x/a': '1', '/x/b': '2', '/x': 'beside', '/y/a': 'other' });
  const { kvs, revision, clusterId } = await client.rangeOf('/x/');
  assert.deepEqual(
    kvs.map(({ key, value }) => [key, value]),
    [
      ['/x/a', '1'],
      ['/x/b', '2'],
    ],
  );
  assert.deepEqual([revision, clusterId], [etcd.revision, etcd.clusterId]);
  const lease = await client.grantLease(60);
  const write = (value: string) => ({ kind: 'put', key: '/x/a', value, lease }) as const;
  assert.equal(await client.transact([{ key: '/x/a', modRevision: 0 }], [write('3')]), false);
  assert.equal(await client.transact([{ key: '/x/a', modRevision: revision }], [write('3')]), true);
  assert.deepEqual(await client.get('/x/a'), { key: '/x/a', value: '3', modRevision: revision + 1, lease });
  assert.equal(await client.transact([{ key: '/x/a', lease: '1' }], [write('4')]), false);
  assert.equal(await client.transact([{ key: '/x/a', lease }], [write('4')]), true);
  assert.equal(await client.transact([{ key: '/x/a', never: true }], [write('5')]), false);
  assert.equal(await client.keepAlive(lease), true);
  await client.revokeLease(lease);
  assert.equal(await client.keepAlive(lease), false);
  assert.equal(await client.get('/x/a'), undefined);
});

test('every call has a deadline, and an etcd without a leader is not waited for', async t => {
  const { etcd, client } = await setUp(t, 200);
  const lease = await client.grantLease(60);
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    get: () => client.get('x'),
    rangeOf: () => client.rangeOf('x/'),
    transact: () => client.transact([], []),
    grantLease: () => client.grantLease(60),
    revokeLease: () => client.revokeLease(lease),
    keepAlive: () => client.keepAlive(lease),
  };
  for (const [fault, problem] of [
    ['isSilent', /in time/],
    ['hasLeader', /no leader/],
  ] as const) {
    etcd[fault] = !etcd[fault];
    for (const [name, call] of Object.entries(calls))
      await assert.rejects(call(), error => {
        const failure = etcdFailureOf(error);
        return failure.kind === 'away' && problem.test(failure.problem) ? true : assert.fail(`${name}: ${error}`);
      });
    etcd[fault] = !etcd[fault];
  }
});

test('a watch tells everything from its revision on, in order, and ends with why it cannot', async t => {
  const { etcd, client } = await setUp(t, 500);
  etcd.write({ '/x/a': '1' });
  etcd.write({ '/x/a': '2', '/y/a': 'other' });
  const watched = watch(client, etcd.revision);
  etcd.write({ '/x/b': '3' });
  etcd.write({ '/x/a': undefined });
  await until('all is told', () => watched.events.length === 3);
  assert.deepEqual(watched.events, ['3 /x/a=2', '4 /x/b=3', '5 /x/a gone']);
  etcd.cancelWatches('etcdserver: no leader');
  await until('it ended', () => watched.ends.length > 0);
  assert.match(watched.ends[0] ?? '', /^away .*no leader/);

  etcd.compact();
  const late = watch(client, 2);
  await until('it ended', () => late.ends.length > 0);
  assert.deepEqual(late.ends, ['compacted']);

  const deaf = watch(client, etcd.revision + 1);
  await until('it stands', () => deaf.isCreated());
  etcd.isSilent = true;
  await until('it ended', () => deaf.ends.length > 0);
  assert.match(deaf.ends[0] ?? '', /^away .*does not answer/);
  etcd.isSilent = false;

  const unordered = watch(client, etcd.revision + 1);
  await until('it stands', () => unordered.isCreated());
  etcd.tellAgain('/x/b');
  await until('it ended', () => unordered.ends.length > 0);
  assert.match(unordered.ends[0] ?? '', /^wrong .*order/);
  assert.deepEqual(unordered.events, []);

  const closed = watch(client, etcd.revision + 1);
  await until('it stands', () => closed.isCreated());
  closed.close();
  etcd.write({ '/x/c': '5' });
  await until('etcd has seen it go', () => etcd.watches === 0);
  assert.deepEqual([closed.events, closed.ends], [[], []]);
});

async function setUp(t: TestContext, timeoutMs = 20_000) {
  const etcd = await startFakeEtcd(t);
  const channel = new grpc.Channel(`127.0.0.1:${etcd.port}`, grpc.credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  t.after(() => channel.close());
  return { etcd, client: new EtcdClient(channel, { timeoutMs }) };
}

function watch(client: EtcdClient, startRevision: number) {
  const events: string[] = [];
  const ends: string[] = [];
  let isCreated = false;
  const take = ({ events: all }: EtcdEvents) => {
    for (const { key, value, modRevision } of all)
      events.push(`${modRevision} ${key}${value === undefined ? ' gone' : `=${value}`}`);
  };
  const onEnd: EtcdWatchParts['onEnd'] = end =>
    void ends.push(end.kind === 'compacted' ? end.kind : `${end.kind} ${end.problem}`);
  const onCreated = () => {
    isCreated = true;
  };
  const { close } = client.watch('/x/', { startRevision, askEveryMs: 50, onCreated, onEvents: take, onEnd });
  return { events, ends, isCreated: () => isCreated, close };
}
