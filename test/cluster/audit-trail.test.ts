import assert from 'node:assert/strict';
import { readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import type { Daemon } from '../../scripts/kit/daemon.ts';
import type { AuditRecord } from '../../src/index.ts';
import { nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { createSslClient } from '../kit/bare-grpc.ts';
import { until } from '../kit/until.ts';
import { askLocally, fabricPort, TestCluster } from './test-cluster.ts';

const DRAIN = '/selvedge.control.v1.NodeControl/Drain';
const RELOAD = '/selvedge.control.v1.NodeControl/ReloadTls';

test('what a daemon decides about calls and connections is in its audit file', async t => {
  const cluster = await TestCluster.make(t);
  const file = cluster.path('audit.jsonl');
  const daemon = await cluster.start('node-1', {
    top: { audit: { file: 'audit.jsonl' }, observability: { 'bind-address': '127.0.0.1:0' } },
  });
  const admin = await clientOf(t, cluster, daemon, 'admin/ann');
  const peer = await clientOf(t, cluster, daemon, 'fabric/node-2');

  await t.test('a changing call that an admin may make, and one that a peer may not', async () => {
    await callUnary(admin, nodeControl, 'ReloadTls', {});
    await assert.rejects(callUnary(peer, nodeControl, 'Drain', {}), { code: grpc.status.PERMISSION_DENIED });
    const [allowed, denied] = await recordsIn(file, 2);
    assert.ok(allowed?.kind === 'call' && denied?.kind === 'call');
    assert.deepEqual(
      [allowed.rpc_method, allowed.principal, allowed.authorized, allowed.policy_name, allowed.roles],
      [RELOAD, 'spiffe://dev/admin/ann', true, 'built-in', ['admin']],
    );
    assert.deepEqual(
      [denied.rpc_method, denied.principal, denied.authorized, denied.policy_name, denied.roles],
      [DRAIN, 'spiffe://dev/fabric/node-2', false, 'built-in', ['peer']],
    );
    for (const record of [allowed, denied]) {
      assert.match(record.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.match(record.remote_address, /^127\.0\.0\.1:\d+$/);
      assert.match(record.certificate_fingerprint ?? '', /^[0-9a-f]{64}$/);
      assert.deepEqual(
        [record.node, record.node_generation, record.trust_generation],
        ['node-1', daemon.ready.generation, 1],
      );
      assert.ok((record.connection_id ?? 0) > 0);
    }
    assert.equal((await stat(file)).mode & 0o777, 0o600);
  });

  await t.test('what only reads leaves no record when it is allowed', async () => {
    await callUnary(admin, nodeControl, 'GetStatus', {});
    await askLocally(daemon, 'ReloadTls');
    const record = (await recordsIn(file, 3))[2];
    assert.ok(record?.kind === 'call');
    assert.deepEqual([record.rpc_method, record.remote_address, record.roles], [RELOAD, 'unix', ['local']]);
  });

  await t.test('a connection that is refused, with what it proved', async () => {
    const { authority } = cluster.store;
    const stranger = await createSslClient(t, fabricPort(daemon), authority.anchorsPem, authority, {
      commonName: 'stranger',
      uris: ['spiffe://dev/other/x'],
    });
    await assert.rejects(callUnary(stranger, nodeControl, 'GetStatus', {}));
    const record = (await recordsIn(file, 4))[3];
    assert.ok(record?.kind === 'connection');
    assert.deepEqual(
      [record.rpc_method, record.principal, record.reason, record.direction, record.authorized],
      ['', 'spiffe://dev/other/x', 'subject_not_allowed', 'inbound', false],
    );
    stranger.close();
  });

  await t.test('a flood of denials is cut, and the number that is missing is exact', async () => {
    const before = (await recordsIn(file, 4)).length;
    const calls = 5_000;
    let denied = 0;
    const workers = Array.from({ length: 50 }, async () => {
      for (let call = 0; call < calls / 50; call += 1)
        await callUnary(peer, nodeControl, 'Drain', {}).catch(error => {
          if (error.code === grpc.status.PERMISSION_DENIED) denied += 1;
        });
    });
    await Promise.all(workers);
    assert.equal(denied, calls);
    await until('what is missing is told', async () => {
      const since = (await recordsIn(file, before)).slice(before);
      return since.length - gapsIn(since) + droppedIn(since) === calls;
    });
    const since = (await recordsIn(file, before)).slice(before);
    assert.ok(droppedIn(since) > 0);
    const exposed = await (await fetch(`${daemon.ready.observability}/metrics`)).text();
    assert.match(exposed, new RegExp(`^selvedge_audit_dropped_total ${droppedIn(since)}$`, 'm'));
    assert.doesNotMatch(exposed, /admin\/ann|node-2|stranger|127\.0\.0\.1/);
  });

  await t.test('it goes on in a new file when the old one was renamed, also without being told', async () => {
    await rename(file, `${file}.1`);
    await callUnary(admin, nodeControl, 'ReloadTls', {});
    assert.equal((await recordsIn(file, 1)).length, 1);
    await rename(file, `${file}.2`);
    daemon.signal('SIGHUP');
    await until('the new file', async () => (await stat(file).catch(() => undefined)) !== undefined);
    assert.equal((await stat(file)).size, 0);
  });

  await t.test('the call that ends the node is in it', async () => {
    await callUnary(admin, nodeControl, 'Drain', {});
    assert.equal(await daemon.exited, 0);
    const records = await recordsIn(file, 1);
    assert.deepEqual(
      records.map(record => record.kind === 'call' && [record.rpc_method, record.authorized]),
      [[DRAIN, true]],
    );
    assert.equal(daemon.lines.filter(line => line.event === 'audit.record').length, 0);
  });
});

test('a full disk holds up no call: records are in the log, and the node says so until it has room', async t => {
  const cluster = await TestCluster.make(t);
  const file = cluster.path('audit.jsonl');
  await symlink('/dev/full', file);
  const daemon = await cluster.start('node-1', {
    top: { audit: { file: 'audit.jsonl' }, observability: { 'bind-address': '127.0.0.1:0' } },
  });
  const get = async (path: string) => (await fetch(`${daemon.ready.observability}${path}`)).text();
  const admin = await clientOf(t, cluster, daemon, 'admin/ann');
  await callUnary(admin, nodeControl, 'ReloadTls', {});
  await callUnary(admin, nodeControl, 'ReloadTls', {});
  await until('the log', () => daemon.lines.filter(line => line.event === 'audit.record').length === 2);
  const logged = daemon.lines.find(line => line.event === 'audit.record');
  assert.deepEqual([logged?.rpc_method, logged?.principal], [RELOAD, 'spiffe://dev/admin/ann']);
  assert.equal(daemon.lines.filter(line => line.event === 'audit.failed').length, 1);
  const { state, problems } = await askLocally(daemon, 'GetStatus');
  assert.equal(state, 'degraded');
  assert.match(problems.join('\n'), /audit: .*audit\.jsonl cannot be written: ENOSPC/);
  assert.match(await get('/readyz'), /^degraded\naudit_failed$/m);
  assert.match(await get('/metrics'), /^selvedge_audit_failing 1$/m);

  await rm(file);
  daemon.signal('SIGHUP');
  await until('it is well again', async () => (await askLocally(daemon, 'GetStatus')).state === 'ready');
  await callUnary(admin, nodeControl, 'ReloadTls', {});
  const [gap, record] = await recordsIn(file, 2);
  assert.deepEqual([gap?.kind, gap?.kind === 'gap' && gap.logged], ['gap', 2]);
  assert.equal(record?.kind, 'call');
});

test('a daemon does not start with an audit file that it could not open, and check says so', async t => {
  const cluster = await TestCluster.make(t);
  await cluster.issue('node-1');
  await cluster.writeConfig('node-1', { top: { audit: { file: 'missing/audit.jsonl' } } });
  const daemon = cluster.spawn('node-1');
  assert.equal(await daemon.exited, 78);
  assert.match(daemon.stderr, /audit\.file: .*missing is not a directory that is there\. Make it first\./);
});

test('without an audit file records are in the log', async t => {
  const cluster = await TestCluster.make(t);
  const daemon = await cluster.start('node-1');
  await askLocally(daemon, 'ReloadTls');
  const line = await daemon.waitFor('audit.record');
  assert.deepEqual([line.level, line.kind, line.rpc_method, line.roles], ['info', 'call', RELOAD, ['local']]);
});

async function clientOf(t: TestContext, cluster: TestCluster, daemon: Daemon, path: string): Promise<grpc.Client> {
  const { authority } = cluster.store;
  return createSslClient(t, fabricPort(daemon), authority.anchorsPem, authority, {
    commonName: path,
    uris: [`spiffe://dev/${path}`],
  });
}

/** The records of a file, as soon as there are so many. */
async function recordsIn(file: string, count: number): Promise<AuditRecord[]> {
  let records: AuditRecord[] = [];
  await until(`${count} records`, async () => {
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n');
    // The last one may be half written.
    records = lines.slice(0, -1).map(line => JSON.parse(line));
    return records.length >= count;
  });
  return records;
}

function gapsIn(records: readonly AuditRecord[]): number {
  return records.filter(({ kind }) => kind === 'gap').length;
}

function droppedIn(records: readonly AuditRecord[]): number {
  return records.reduce((sum, record) => sum + (record.kind === 'gap' ? record.dropped : 0), 0);
}
