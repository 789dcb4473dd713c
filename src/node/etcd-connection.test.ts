import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type FakeEtcd, startFakeEtcd } from '../../test/kit/fake-etcd.ts';
import { loopback } from '../../test/kit/loopback-node.ts';
import { nodeSettings } from '../../test/kit/tls-settings.ts';
import { until } from '../../test/kit/until.ts';
import { constant } from '../lifecycle/observable-value.ts';
import type { EtcdConnection } from '../membership/etcd-source-parts.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { openEtcdConnection } from './etcd-connection.ts';

test('with several endpoints one that is away, silent or said to be of no use is left for another', async t => {
  const etcds = [await named(t, 'one'), await named(t, 'two')];
  const connection = open(t, etcds);
  let moves = 0;
  connection.onMoved(() => {
    moves += 1;
  });
  const who = async () => (await connection.client.get('who').catch(() => undefined))?.value;
  const isAnswered = async () => (await who()) !== undefined;
  await until('one answers', isAnswered);
  const first = await who();
  const others = etcds.filter(etcd => etcd.get('who') !== first);
  assert.equal(moves, 1);
  connection.tryAnother();
  await until('the other answers', async () => (await who()) === others[0]?.get('who'));
  assert.equal(moves, 2);
  assert.ok(others[0]);
  await others[0].stop();
  await until('the first answers again', async () => (await who()) === first);
  await others[0].start();
  const [hung] = etcds.filter(etcd => etcd.get('who') === first);
  assert.ok(hung);
  hung.isSilent = true;
  await until('who hangs is left when that is said', async () => {
    const answer = await who();
    if (answer === undefined) connection.tryAnother();
    return answer === others[0]?.get('who');
  });
});

test('nothing is sent over a connection that was closed', async t => {
  const etcd = await named(t, 'one');
  const connection = open(t, [etcd]);
  await until('it answers', async () => (await connection.client.get('who').catch(() => undefined)) !== undefined);
  connection.close();
  const calls = etcd.calls.get('Range');
  await assert.rejects(connection.client.get('who'));
  assert.equal(etcd.calls.get('Range'), calls);
  assert.equal(connection.user(), undefined, 'there is no user without a certificate');
});

async function named(t: TestContext, name: string): Promise<FakeEtcd> {
  const etcd = await startFakeEtcd(t);
  etcd.write({ who: name });
  return etcd;
}

function open(t: TestContext, etcds: readonly FakeEtcd[]): EtcdConnection {
  const connection = openEtcdConnection({
    etcd: { endpoints: etcds.map(({ port }) => loopback(port)), requestTimeoutMs: 500, leaseTtlMs: 5_000 },
    settings: constant(nodeSettings()),
    trust: undefined,
    logger: silentLogger,
  });
  t.after(() => connection.close());
  return connection;
}
