import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import * as tls from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import type { Daemon, LogLine } from '../../scripts/kit/daemon.ts';
import { nodeControl, type NodeStatus } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { bareClient, createSslClient } from '../kit/bare-grpc.ts';
import { ReflectionClient } from './reflection-client.ts';
import { askLocally, fabricPort, fabricUrl, type NodeConfig, peerOnce, refusal, TestCluster } from './test-cluster.ts';

const NODE = 'node-1';

test('a daemon from its start to a drain, and what it takes while it runs', async t => {
  const cluster = await TestCluster.make(t);
  const startedAt = Date.now();
  let config: NodeConfig = {
    top: { observability: { 'bind-address': '127.0.0.1:0' } },
    networking: { 'drain-timeout': '5s' },
  };
  const env = { SELVEDGE_NETWORKING__DRAIN_TIMEOUT: '60s' };
  const daemon = await cluster.start(NODE, config, { env });
  const change = async (changes: NodeConfig, event = 'config.reloaded'): Promise<LogLine> => {
    config = { ...config, ...changes };
    const since = daemon.lines.length;
    await cluster.writeConfig(NODE, config);
    return daemon.waitFor(event, () => true, since);
  };

  await t.test('node.ready says where it listens, with real ports in the place of 0', async () => {
    const { event, time, level, ...facts } = await daemon.waitFor('node.ready');
    assert.deepEqual([event, level, typeof time], ['node.ready', 'info', 'string']);
    const { fabric, observability, generation, ...rest } = facts;
    assert.deepEqual(rest, { node: NODE, mode: 'strict', admin: `unix:${cluster.path('data', NODE, 'admin.sock')}` });
    assert.match(JSON.stringify(fabric), /^\["https:\/\/127\.0\.0\.1:[1-9]\d*"\]$/);
    assert.match(String(observability), /^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
    assert.ok(Number(generation) >= startedAt);
    assert.equal((await fetch(`${daemon.ready.observability}/healthz`)).status, 200);
  });

  await t.test('the admin socket is for its owner alone, and so is the data directory', async () => {
    assert.equal((await stat(cluster.path('data', NODE, 'admin.sock'))).mode & 0o777, 0o600);
    assert.equal((await stat(cluster.path('data', NODE))).mode & 0o777, 0o700);
  });

  await t.test('a value of the file that the environment masks is reported, also when it changes', async () => {
    const masked = [{ key: 'networking.drain-timeout', by: 'SELVEDGE_NETWORKING__DRAIN_TIMEOUT' }];
    assert.deepEqual((await daemon.waitFor('config.masked')).values, masked);
  });

  await t.test('SIGHUP reads configuration and credentials again', async () => {
    daemon.signal('SIGHUP');
    const { cause, changed, credentials } = await daemon.waitFor('config.reloaded');
    assert.deepEqual({ cause, changed, credentials }, { cause: 'sighup', changed: [], credentials: 'unchanged' });
  });

  await t.test('the log level is taken while it runs', async () => {
    const { cause, changed } = await change({ top: { ...config.top, 'log-level': 'debug' } });
    assert.deepEqual({ cause, changed }, { cause: 'file_changed', changed: ['log-level'] });
    const since = daemon.lines.length;
    await askLocally(daemon, 'GetStatus');
    await daemon.waitFor('connection.opened', () => true, since);
  });

  await t.test('allowed-subject-names are taken while it runs', async () => {
    const status = await clientWith(t, cluster, daemon, 'spiffe://dev/batch/job-1');
    await assert.rejects(status(), { code: grpc.status.PERMISSION_DENIED });
    await refusal(daemon, 'subject_not_allowed');
    const names = ['uri:spiffe://dev/fabric/*', 'uri:spiffe://dev/batch/*'];
    const { changed } = await change({ tls: { 'allowed-subject-names': names } });
    assert.deepEqual(changed, ['networking.tls.allowed-subject-names']);
    assert.equal((await status()).nodeName, NODE);
  });

  await t.test('the mode is taken while it runs, down and up again', async () => {
    const port = fabricPort(daemon);
    const plaintext = () => statusOver(bareClient(t, port, grpc.credentials.createInsecure()));
    await assert.rejects(plaintext(), { code: grpc.status.PERMISSION_DENIED });

    assert.deepEqual((await change({ mode: 'optional' })).changed, ['networking.tls.mode']);
    const { mode, advertisedAddresses } = await askLocally(daemon, 'GetStatus');
    assert.equal(mode, 'optional');
    assert.deepEqual(advertisedAddresses, [`https://127.0.0.1:${port}`, `http://127.0.0.1:${port}`]);
    assert.equal((await plaintext()).mode, 'optional');

    await change({ mode: 'strict' });
    await assert.rejects(plaintext(), { code: grpc.status.PERMISSION_DENIED });
    assert.deepEqual((await askLocally(daemon, 'GetStatus')).advertisedAddresses, [`https://127.0.0.1:${port}`]);
  });

  await t.test('a change that needs a restart is rejected, and nothing beside it is taken', async () => {
    const [before, { tls }] = [config, config];
    const line = await change({ top: { ...config.top, labels: { zone: 'b' } }, mode: 'optional' }, 'config.reload_rejected');
    assert.deepEqual({ reason: line.reason, keys: line.keys }, { reason: 'restart_required', keys: ['labels'] });
    assert.equal((await askLocally(daemon, 'GetStatus')).mode, 'strict');
    // Back to what it runs with is no change.
    config = before;
    await cluster.writeConfig(NODE, { ...config, tls: { ...tls } });
  });

  await t.test('a file that is wrong is rejected with its place, and the node runs on', async () => {
    const line = await change({ tls: { ...config.tls, 'allowed-subject-names': [] } }, 'config.reload_rejected');
    assert.equal(line.reason, 'config_invalid');
    assert.match(JSON.stringify(line.problems), /node-1\.toml:\d+:\d+.*Nobody may connect/);
    config = { ...config, tls: {} };
    await cluster.writeConfig(NODE, config);
    assert.equal((await daemon.waitFor('config.reloaded', changedNames, daemon.lines.length)).cause, 'file_changed');
  });

  await t.test('a certificate that is renewed on disk is shown from then on', async () => {
    const before = await shownBy(daemon);
    const since = daemon.lines.length;
    await cluster.store.rotate(NODE);
    const { generation, fingerprint } = await daemon.waitFor('tls.reloaded', line => line.trigger === 'watch', since);
    assert.equal(generation, 2);
    assert.notEqual(fingerprint, before);
    assert.equal(await shownBy(daemon), fingerprint);
  });

  await t.test('`tls reload` answers when the new certificate is in use', async () => {
    const before = await shownBy(daemon);
    await cluster.store.rotate(NODE);
    // The watcher may have been faster.
    const { result, trustGeneration } = await askLocally(daemon, 'ReloadTls');
    assert.match(result, /^(?:ok|unchanged)$/);
    assert.equal(trustGeneration, 3);
    assert.notEqual(await shownBy(daemon), before);
  });

  await t.test('a broken certificate file changes nothing but the log', async () => {
    const certFile = cluster.path('certs', `${NODE}.pem`);
    const [good, shown, since] = [await readFile(certFile), await shownBy(daemon), daemon.lines.length];
    await writeFile(certFile, 'not a certificate\n');
    const failed = await daemon.waitFor('tls.reload_failed', () => true, since);
    assert.deepEqual(failed.problems, [{ file: certFile, problem: 'holds no certificate in PEM form' }]);
    assert.equal(failed.generation, 3);
    const { result, problems, trustGeneration } = await askLocally(daemon, 'ReloadTls');
    assert.deepEqual([result, trustGeneration], ['failed', 3]);
    assert.deepEqual(problems, [`${certFile}: holds no certificate in PEM form`]);
    daemon.signal('SIGHUP');
    const rejected = await daemon.waitFor('config.reload_rejected', () => true, since);
    assert.equal(rejected.reason, 'credentials_invalid');
    assert.equal(await shownBy(daemon), shown);
    const status = await clientWith(t, cluster, daemon, 'spiffe://dev/fabric/node-2');
    assert.equal((await status()).nodeName, NODE);

    await writeFile(certFile, good);
    await daemon.waitFor('tls.reload_recovered', () => true, since);
    assert.equal(await shownBy(daemon), shown);
  });

  await t.test('SIGTERM lets the call that runs finish, takes no other, and ends with 0', async () => {
    const port = fabricPort(daemon);
    const request = { uris: ['spiffe://dev/fabric/node-2'] };
    const client = await createSslClient(t, port, cluster.store.authority.anchorsPem, cluster.store.authority, request);
    const running = new ReflectionClient(client);
    await running.ask({ listServices: '' });
    daemon.signal('SIGTERM');
    await daemon.waitFor('node.draining');
    assert.equal((await daemon.waitFor('node.draining')).graceMs, 60_000);
    await assert.rejects(shownBy(daemon), { code: 'ECONNREFUSED' });
    const { listServicesResponse } = await running.ask({ listServices: '' });
    assert.ok(listServicesResponse?.service.some(({ name }) => name === nodeControl.name));
    assert.equal(daemon.exitCode, undefined);
    assert.equal(await running.end(), grpc.status.OK);
    assert.equal(await daemon.exited, 0);
    assert.equal(daemon.lines.at(-1)?.event, 'node.closed');
    assert.equal(daemon.stderr, '');
  });

  const first = daemon.ready.generation;
  const second = await cluster.start(NODE, config);

  await t.test('the generation grows with each start', () => {
    assert.ok(second.ready.generation > first);
  });

  second.signal('SIGKILL');
  await second.exited;
  const third = await cluster.start(NODE, config);

  await t.test('what a killed daemon left behind, lock and socket, is taken over', async () => {
    assert.ok(third.ready.generation > second.ready.generation);
    assert.equal((await askLocally(third, 'GetStatus')).generation, third.ready.generation);
  });

  await t.test('a second SIGTERM ends a drain that lasts at once, with 1', async () => {
    const client = bareClient(t, 0, grpc.credentials.createInsecure());
    const request = { uris: ['spiffe://dev/fabric/node-2'] };
    const { authority } = cluster.store;
    const patient = new ReflectionClient(await createSslClient(t, fabricPort(third), authority.anchorsPem, authority, request));
    await patient.ask({ listServices: '' });
    third.signal('SIGTERM');
    await third.waitFor('node.draining');
    third.signal('SIGTERM');
    assert.equal(await third.exited, 1);
    assert.equal((await patient.status).code, grpc.status.UNAVAILABLE);
    client.close();
  });
});
