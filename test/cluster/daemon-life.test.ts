import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { type TestContext, test } from 'node:test';
import * as tls from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import type { Daemon, LogLine } from '../../scripts/kit/daemon.ts';
import { writeFileAtomic } from '../../src/lifecycle/atomic-write.ts';
import { type NodeStatus, nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { bareClient, createSslClient } from '../kit/bare-grpc.ts';
import { ReflectionClient } from '../kit/reflection-client.ts';
import { until } from '../kit/until.ts';
import { askLocally, fabricPort, fabricUrl, type NodeConfig, peerOnce, TestCluster } from './test-cluster.ts';

const NODE = 'node-1';

test('a daemon from its start to its drain, and what it takes while it runs', async t => {
  const cluster = await TestCluster.make(t);
  const startedAt = Date.now();
  let config: NodeConfig = {
    top: { observability: { 'bind-address': '127.0.0.1:0' } },
    networking: { 'drain-timeout': '5s' },
  };
  const env = { SELVEDGE_NETWORKING__DRAIN_TIMEOUT: '60s' };
  const daemon = await cluster.start(NODE, config, { env });

  const write = async (next: NodeConfig, event: string): Promise<LogLine> => {
    const since = daemon.lines.length;
    await cluster.writeConfig(NODE, next);
    return daemon.waitFor(event, () => true, since);
  };
  const change = (changes: NodeConfig): Promise<LogLine> => {
    config = { ...config, ...changes };
    return write(config, 'config.reloaded');
  };
  /** Leaves the file as it was. */
  const tryToChange = async (changes: NodeConfig): Promise<LogLine> => {
    const rejected = await write({ ...config, ...changes }, 'config.reload_rejected');
    await write(config, 'config.masked');
    return rejected;
  };

  await t.test('node.ready says where it listens, with real ports in the place of 0', async () => {
    const { event, time, level, ...facts } = await daemon.waitFor('node.ready');
    assert.deepEqual([event, level, typeof time], ['node.ready', 'info', 'string']);
    const { fabric, observability, generation, ...rest } = facts;
    assert.deepEqual(rest, { node: NODE, mode: 'strict', admin: `unix:${cluster.path('data', NODE, 'admin.sock')}` });
    assert.match(JSON.stringify(fabric), /^\["https:\/\/127\.0\.0\.1:[1-9]\d*"\]$/);
    assert.match(String(observability), /^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
    assert.ok(Number(generation) >= startedAt);
    assert.equal((await fetch(`${observability}/healthz`)).status, 200);
  });

  await t.test('the admin socket is for its owner alone, and so is the data directory', async () => {
    assert.equal((await stat(cluster.path('data', NODE, 'admin.sock'))).mode & 0o777, 0o600);
    assert.equal((await stat(cluster.path('data', NODE))).mode & 0o777, 0o700);
  });

  await t.test('a value of the file that the environment masks is reported, and again when it is edited', async () => {
    const values = [{ key: 'networking.drain-timeout', by: 'SELVEDGE_NETWORKING__DRAIN_TIMEOUT' }];
    assert.deepEqual((await daemon.waitFor('config.masked')).values, values);
    config = { ...config, networking: { 'drain-timeout': '6s' } };
    assert.deepEqual((await write(config, 'config.masked')).values, values);
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
    const asBatch = async () => statusOver(await clientOf(t, cluster, daemon, 'spiffe://dev/batch/job-1'));
    await assert.rejects(asBatch(), { code: grpc.status.PERMISSION_DENIED });
    const names = ['uri:spiffe://dev/fabric/*', 'uri:spiffe://dev/batch/*'];
    const { changed } = await change({ tls: { 'allowed-subject-names': names } });
    assert.deepEqual(changed, ['networking.tls.allowed-subject-names']);
    assert.equal((await asBatch()).nodeName, NODE);
  });

  await t.test('the mode is taken while it runs, down and up again', async () => {
    const port = fabricPort(daemon);
    const inPlaintext = () => statusOver(bareClient(t, port, grpc.credentials.createInsecure()));
    await assert.rejects(inPlaintext(), { code: grpc.status.PERMISSION_DENIED });

    assert.deepEqual((await change({ mode: 'optional' })).changed, ['networking.tls.mode']);
    const { mode, advertisedAddresses } = await askLocally(daemon, 'GetStatus');
    assert.equal(mode, 'optional');
    assert.deepEqual(advertisedAddresses, [`https://127.0.0.1:${port}`, `http://127.0.0.1:${port}`]);
    assert.equal((await inPlaintext()).mode, 'optional');

    await change({ mode: 'strict' });
    await assert.rejects(inPlaintext(), { code: grpc.status.PERMISSION_DENIED });
    assert.deepEqual((await askLocally(daemon, 'GetStatus')).advertisedAddresses, [`https://127.0.0.1:${port}`]);
  });

  await t.test('a change that needs a restart is rejected, and nothing beside it is taken', async () => {
    const { reason, keys } = await tryToChange({ top: { ...config.top, labels: { zone: 'b' } }, mode: 'optional' });
    assert.deepEqual({ reason, keys }, { reason: 'restart_required', keys: ['labels'] });
    assert.equal((await askLocally(daemon, 'GetStatus')).mode, 'strict');
  });

  await t.test('a file with a mistake is rejected with its place, and the node runs on', async () => {
    const { reason, problems } = await tryToChange({ mode: 'optional', tls: { 'allowed-subject-names': [] } });
    assert.equal(reason, 'config_invalid');
    assert.match(JSON.stringify(problems), /node-1\.toml:\d+:\d+.*Nobody may connect/);
    assert.equal((await askLocally(daemon, 'GetStatus')).mode, 'strict');
  });

  await t.test(
    'a change that could not be taken shows in the status and in a metric until the file is right again',
    async () => {
      await write({ ...config, mode: 'optional', tls: { 'allowed-subject-names': [] } }, 'config.reload_rejected');
      const { state, problems } = await askLocally(daemon, 'GetStatus');
      assert.equal(state, 'degraded');
      assert.match(problems.join(), /^configuration: .*node-1\.toml:\d+:\d+.*Nobody may connect/);
      const metrics = await (await fetch(`${daemon.ready.observability}/metrics`)).text();
      assert.match(metrics, /selvedge_config_reload_total\{result="failed"\} [1-9]/);
      await write(config, 'config.recovered');
      const after = await askLocally(daemon, 'GetStatus');
      assert.deepEqual([after.state, after.problems], ['ready', []]);
    },
  );

  await t.test('a certificate that is renewed on disk is shown from then on', async () => {
    const before = await fingerprintShown(daemon);
    await cluster.store.rotate(NODE);
    const { generation, fingerprint } = await daemon.waitFor('tls.reloaded', line => line.trigger === 'watch');
    assert.equal(generation, 2);
    assert.notEqual(fingerprint, before);
    assert.equal(await fingerprintShown(daemon), fingerprint);
  });

  await t.test('when `tls reload` has answered, the new certificate is the one that is shown', async () => {
    const before = await fingerprintShown(daemon);
    await cluster.store.rotate(NODE);
    const { result, trustGeneration } = await askLocally(daemon, 'ReloadTls');
    // `unchanged` where the watcher was faster.
    assert.match(result, /^(?:ok|unchanged)$/);
    assert.equal(trustGeneration, 3);
    assert.notEqual(await fingerprintShown(daemon), before);
  });

  await t.test('a broken certificate file changes nothing but the log', async () => {
    const file = cluster.path('certs', `${NODE}.pem`);
    const problem = 'holds no certificate in PEM form';
    const [good, shown, since] = [await readFile(file), await fingerprintShown(daemon), daemon.lines.length];
    await writeFileAtomic(file, 'not a certificate\n', 0o644);
    const { problems, generation } = await daemon.waitFor('tls.reload_failed', () => true, since);
    assert.deepEqual({ problems, generation }, { problems: [{ file, problem }], generation: 3 });
    const answer = await askLocally(daemon, 'ReloadTls');
    assert.deepEqual(answer, { result: 'failed', problems: [`${file}: ${problem}`], trustGeneration: 3 });
    daemon.signal('SIGHUP');
    const rejected = await daemon.waitFor('config.reload_rejected', () => true, since);
    assert.equal(rejected.reason, 'credentials_invalid');
    assert.equal(await fingerprintShown(daemon), shown);
    const client = await clientOf(t, cluster, daemon, 'spiffe://dev/fabric/node-2');
    assert.equal((await statusOver(client)).nodeName, NODE);

    await writeFile(file, good);
    await daemon.waitFor('tls.reload_recovered', () => true, since);
    assert.equal(await fingerprintShown(daemon), shown);
  });

  await t.test('SIGTERM lets the call that runs finish, takes nothing new, and ends with 0', async () => {
    using running = new ReflectionClient(await clientOf(t, cluster, daemon, 'spiffe://dev/fabric/node-2'));
    await running.ask({ listServices: '' });
    daemon.signal('SIGTERM');
    // That of the environment, not of the file.
    assert.equal((await daemon.waitFor('node.draining')).graceMs, 60_000);
    await until('nobody listens', () =>
      fingerprintShown(daemon).then(
        () => false,
        error => error.code === 'ECONNREFUSED',
      ),
    );
    const { listServicesResponse } = await running.ask({ listServices: '' });
    assert.ok(listServicesResponse?.service.some(({ name }) => name === nodeControl.name));
    assert.equal(daemon.exitCode, undefined);
    assert.equal(await running.end(), grpc.status.OK);
    assert.equal(await daemon.exited, 0);
    assert.equal(daemon.lines.at(-1)?.event, 'node.closed');
    assert.equal(daemon.stderr, '');
    assert.ok(!existsSync(cluster.path('data', NODE, 'admin.sock')));
  });

  const second = await cluster.start(NODE, config);
  await t.test('the generation grows with each start', () => {
    assert.ok(second.ready.generation > daemon.ready.generation);
  });

  second.signal('SIGKILL');
  await second.exited;
  assert.ok(existsSync(cluster.path('data', NODE, 'admin.sock')));
  const third = await cluster.start(NODE, config);
  await t.test('what a killed daemon left behind, lock and socket, is taken over', async () => {
    assert.ok(third.ready.generation > second.ready.generation);
    assert.equal((await askLocally(third, 'GetStatus')).generation, third.ready.generation);
  });

  await t.test('a second SIGTERM ends a drain that lasts at once, with 1', async () => {
    using patient = new ReflectionClient(await clientOf(t, cluster, third, 'spiffe://dev/fabric/node-2'));
    await patient.ask({ listServices: '' });
    third.signal('SIGTERM');
    await third.waitFor('node.draining');
    third.signal('SIGTERM');
    assert.equal(await third.exited, 1);
    assert.notEqual((await patient.status).code, grpc.status.OK);
  });
});

const hasIpv6 = Object.values(networkInterfaces()).some(list => list?.some(({ address }) => address === '::1'));

test('two strict daemons connect over IPv6', { skip: !hasIpv6 && 'there is no ::1 here' }, async t => {
  const cluster = await TestCluster.make(t);
  const networking = { 'bind-address': '[::1]:0' };
  const first = await cluster.start('node-1', { networking });
  assert.equal(fabricUrl(first).hostname, '[::1]');
  // Without `node-identity` the address itself must be in the certificate.
  const members = [['node-1', first.ready.fabric[0] ?? ''] as const];
  const second = await cluster.start('node-2', { networking, members, tls: { 'node-identity': undefined } });
  const { security, direction } = await peerOnce(second, 'node-1', peer => peer.state === 'connected');
  assert.deepEqual({ security, direction }, { security: 'mutual_tls', direction: 'outbound' });
  const { connections } = await askLocally(first, 'ListConnections');
  const inbound = connections.find(connection => connection.nodeName === 'node-2');
  assert.match(inbound?.remoteAddress ?? '', /^\[::1\]:\d+$/);
  assert.equal(inbound?.tlsVersion, 'TLSv1.3');
});

test('a plain daemon serves its fabric on a unix socket that is for its owner alone', async t => {
  const cluster = await TestCluster.make(t);
  const socket = cluster.path('fabric.sock');
  const networking = { 'bind-address': `unix:${socket}`, tls: undefined };
  const daemon = await cluster.start('node-1', { mode: 'plain', networking });
  assert.deepEqual(daemon.ready.fabric, [`unix:${socket}`]);
  assert.equal((await stat(socket)).mode & 0o777, 0o600);
  const client = new grpc.Client(`unix:${socket}`, grpc.credentials.createInsecure());
  t.after(() => client.close());
  const { mode, addressesRedacted } = await statusOver(client);
  assert.deepEqual({ mode, addressesRedacted }, { mode: 'plain', addressesRedacted: true });
  const { connections } = await askLocally(daemon, 'ListConnections');
  assert.deepEqual(
    connections.map(({ roles, security, securityReason }) => ({ roles, security, securityReason })),
    [
      { roles: ['anonymous'], security: 'none', securityReason: 'unix_socket' },
      { roles: ['local'], security: 'none', securityReason: 'unix_socket' },
    ],
  );
  assert.equal(await daemon.stop(), 0);
});

/** A client with a new certificate of the cluster's CA, and with a connection of its own. */
function clientOf(t: TestContext, { store }: TestCluster, daemon: Daemon, uri: string): Promise<grpc.Client> {
  const { authority } = store;
  return createSslClient(t, fabricPort(daemon), authority.anchorsPem, authority, { uris: [uri] });
}

function statusOver(client: grpc.Client): Promise<NodeStatus> {
  return callUnary(client, nodeControl, 'GetStatus', {}, { timeoutMs: 30_000 });
}

/** SHA-256 of the certificate that whoever dials the fabric is shown. */
async function fingerprintShown(daemon: Daemon): Promise<string> {
  const { hostname, port } = fabricUrl(daemon);
  const socket = tls.connect({ host: hostname, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  try {
    await new Promise((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    });
    return socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase() ?? '';
  } finally {
    socket.on('error', () => {});
    socket.destroy();
  }
}
