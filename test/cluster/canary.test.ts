import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';
import type { CertificateRequest } from '../../src/dev-pki/issue.ts';
import { createLogger, FabricNode, type FabricNodeOptions } from '../../src/index.ts';
import { writeFileAtomic } from '../../src/lifecycle/atomic-write.ts';
import type { TlsOptions } from '../../src/node/node-options.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import type { LogLine } from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';
import { askLocally, closedPort, fabricPort, peerOnce, TestCluster } from './test-cluster.ts';

const hour = 3_600_000;

test('a certificate that peers would refuse is not used, until they would admit it', async t => {
  const { cluster, nodes, renew, trust, shown, results } = await setUp(t);
  const [node] = nodes;
  const before = await shown();

  await t.test('one that they would admit is used, when they have said so', async () => {
    await renew(cluster.store.authority);
    await until('it is used', async () => (await shown()).fingerprint !== before.fingerprint);
    assert.deepEqual(await results(), { admitted: 1 });
  });
  const inUse = await shown();
  const newCa = await createAuthority();

  await t.test('a change of the trusted CAs alone asks nobody', async () => {
    await trust('node-1', cluster.store.authority, newCa);
    await until('it is trusted', async () => (await shown()).anchors === 2);
    assert.deepEqual(await results(), { admitted: 1 });
  });

  await t.test('of a CA that only this node trusts: the old one stays, and who would refuse it is said', async () => {
    await renew(newCa);
    await until('it is refused', async () => (await shown()).problem !== '');
    const { problem, fingerprint } = await shown();
    assert.match(problem, /^\S+node-1\.pem: node-2 would refuse it: unknown_ca: /);
    assert.equal(fingerprint, inUse.fingerprint);
    const { result, problems } = await node.reload();
    assert.equal(result, 'failed');
    assert.match(problems.join('\n'), /node-2 would refuse it: unknown_ca: .+\n.*node-3 would refuse it: unknown_ca: /);
    const status = await askLocally(node, 'GetStatus');
    assert.equal(status.state, 'degraded');
    assert.match(status.problems.join(), /node-2 would refuse it/);
    assert.deepEqual(
      status.peers.map(peer => [peer.nodeName, peer.state]),
      [
        ['node-2', 'connected'],
        ['node-3', 'connected'],
      ],
    );
    assert.equal((await results()).admitted, 1);
  });

  await t.test('one of two that refuses is enough', async () => {
    await trust('node-2', cluster.store.authority, newCa);
    await until('node-2 admits it', async () => /^\S+ node-3 would refuse it/.test((await shown()).problem));
    assert.equal((await shown()).fingerprint, inUse.fingerprint);
  });

  await t.test('as soon as all trust the new CA it is used, without anybody asking for it', async () => {
    await trust('node-3', cluster.store.authority, newCa);
    await until('it is used', async () => (await shown()).fingerprint !== inUse.fingerprint);
    assert.equal((await shown()).problem, '');
    assert.equal((await results()).admitted, 2);
    const { fingerprint } = await shown();
    for (const peer of nodes.slice(1))
      await until('peers see it', async () => {
        const { connections } = await askLocally(peer, 'ListConnections');
        return connections.some(each => each.fingerprintSha256 === fingerprint);
      });
  });
});

test('with canary = false, taken in the same reload, it is used all the same', async t => {
  const { nodes, options, renew, trust, shown, results, log, cluster } = await setUp(t);
  const [node] = nodes;
  const newCa = await createAuthority();
  await trust('node-1', cluster.store.authority, newCa);
  await renew(newCa);
  await until('it is refused', async () => /node-2 would refuse it/.test((await shown()).problem));
  const { fingerprint } = await shown();
  const { result } = await node.reload(withTls(options, { canary: false }));
  assert.equal(result, 'ok');
  const after = await shown();
  assert.notEqual(after.fingerprint, fingerprint);
  assert.equal(after.problem, '');
  assert.equal((await results()).admitted, undefined);
  const taken = log.find(line => line.event === 'tls.reloaded' && line.fingerprint === after.fingerprint);
  assert.equal(taken?.trigger, 'config');

  // What a node can see by itself is not a matter of the canary.
  await renew(newCa, { uris: ['spiffe://dev/fabric/node-9'] });
  await until('it is refused', async () => /node-identity asks this node to prove/.test((await shown()).problem));
  assert.equal((await shown()).fingerprint, after.fingerprint);
});

test('near the end of the certificate in use the veto lapses, and that is said', async t => {
  const nearItsEnd = { notBefore: new Date(Date.now() - 20 * hour), notAfter: new Date(Date.now() + hour) };
  const { renew, trust, shown, results, log, cluster } = await setUp(t, nearItsEnd);
  const newCa = await createAuthority();
  await trust('node-1', cluster.store.authority, newCa);
  const { fingerprint } = await shown();
  await renew(newCa);
  await until('it is used', async () => (await shown()).fingerprint !== fingerprint);
  assert.deepEqual(await results(), { overruled: 1 });
  const line = log.find(({ event }) => event === 'tls.canary_overruled');
  assert.match(String(line?.problems), /node-2 would refuse it: unknown_ca/);
});

test('who refuses a new certificate is revoked and denied all the same', async t => {
  const { cluster, nodes, options, renew, trust, revoke, shown, log } = await setUp(t);
  const [node] = nodes;
  const newCa = await createAuthority();
  await trust('node-1', cluster.store.authority, newCa);
  await renew(newCa);
  await until('both refuse it', async () => /node-2 would .*node-3 would/.test((await shown()).problem));

  await t.test('by a revocation list', async () => {
    await revoke('node-2');
    await peerOnce(node, 'node-2', ({ reason }) => reason === 'certificate_revoked');
    assert.ok(log.some(({ event, reason }) => event === 'connection.withdrawn' && reason === 'certificate_revoked'));
    await peerOnce(node, 'node-3', ({ state }) => state === 'connected');
    assert.match((await shown()).problem, /node-3 would refuse it/);
  });

  await t.test('by the deny list', async () => {
    const fingerprint = (await cluster.store.list()).find(({ name }) => name === 'node-3')?.fingerprint ?? '';
    const denied = withTls(options, { deniedCertificates: [`sha256:${fingerprint}`] });
    const { result, credentials, problems } = await node.reload(denied);
    assert.deepEqual([result, credentials], ['ok', 'failed']);
    assert.match(problems.join(), /node-3 would refuse it/);
    await peerOnce(node, 'node-3', ({ reason }) => reason === 'certificate_revoked');
  });
});

test('a key that does not match holds up no revocation list', async t => {
  const { cluster, nodes, revoke, shown } = await setUp(t);
  const [node] = nodes;
  const { keyPem } = await cluster.store.authority.issue({ commonName: 'other' });
  await writeFileAtomic(cluster.path('certs', 'node-1.key'), keyPem, 0o600);
  await until('it is seen', async () => /does not belong/.test((await shown()).problem));
  await revoke('node-2');
  await peerOnce(node, 'node-2', ({ reason }) => reason === 'certificate_revoked');
  await peerOnce(node, 'node-3', ({ state }) => state === 'connected');
  assert.match((await shown()).problem, /does not belong/);
});

test('a new CA and new certificates that come to all nodes at once are taken by all', async t => {
  const { cluster, nodes, renew, trust, shown } = await setUp(t);
  const newCa = await createAuthority();
  const before = await Promise.all(nodes.map(each => shown(each)));
  // What counts is the last file, so that no node sees the new CA without its new certificate.
  for (const { ready } of nodes) await renew(newCa, {}, ready.node);
  for (const { ready } of nodes) await trust(ready.node, cluster.store.authority, newCa);
  for (const [index, each] of nodes.entries()) {
    const name = each.ready.node;
    await until(`${name} uses it`, async () => (await shown(each)).fingerprint !== before[index]?.fingerprint);
    await until(`${name} is content`, async () => (await shown(each)).problem === '');
  }
});

/** `node-1`, which dials `node-2` and `node-3`; each trusts what a file of its own holds. */
async function setUp(t: TestContext, validity: Pick<CertificateRequest, 'notBefore' | 'notAfter'> = {}) {
  const cluster = await TestCluster.make(t);
  const { authority } = cluster.store;
  const log: LogLine[] = [];
  const metrics = createMetrics();
  const caFile = (name: string) => cluster.path(`ca-${name}.pem`);
  const trust = (name: string, ...authorities: readonly Authority[]) =>
    writeFileAtomic(caFile(name), authorities.map(({ anchorsPem }) => anchorsPem).join(''), 0o644);
  const renew = async (issuer: Authority, request: Partial<CertificateRequest> = {}, name = 'node-1') => {
    const uris = [`spiffe://dev/fabric/${name}`];
    const { certPem, keyPem } = await issuer.issue({ commonName: name, uris, ...request });
    await writeFileAtomic(cluster.path('certs', `${name}.key`), keyPem, 0o600);
    await writeFileAtomic(cluster.path('certs', `${name}.pem`), certPem, 0o644);
  };
  const crlFile = cluster.path('node-1.crl');
  /** On the revocation list of node-1. */
  const revoke = async (...names: readonly string[]) => {
    const pems = await Promise.all(names.map(name => readFile(cluster.path('certs', `${name}.pem`))));
    const entries = pems.map(pem => ({ serialNumber: new X509Certificate(pem).serialNumber }));
    await writeFileAtomic(crlFile, await authority.createCrl(entries), 0o644);
  };
  const start = async (options: FabricNodeOptions, parts: { metrics?: Metrics; log?: LogLine[] } = {}) => {
    const { metrics: counting = createMetrics(), log: lines = [] } = parts;
    const logger = createLogger({ write: line => lines.push(JSON.parse(line)) });
    const node = await FabricNode.start(options, { logger, metrics: counting });
    t.after(() => node.close());
    return node;
  };
  const optionsOf = async (name: string, members: readonly (readonly [string, string])[]) => {
    await trust(name, authority);
    return withTls(await cluster.nodeOptions(name, 'strict', members), { caFiles: [caFile(name)] });
  };
  const addressOf = (node: FabricNode) => `127.0.0.1:${fabricPort(node)}`;

  // Where it will listen is not known yet.
  const nowhere = [['node-1', `127.0.0.2:${await closedPort()}`]] as const;
  const peers = [
    await start(await optionsOf('node-2', nowhere)),
    await start(await optionsOf('node-3', nowhere)),
  ] as const;
  const members = peers.map(peer => [peer.ready.node, addressOf(peer)] as const);
  await revoke();
  const options = withTls(await optionsOf('node-1', members), { crlFiles: [crlFile] });
  await renew(authority, validity);
  const node = await start(options, { metrics, log });
  for (const peer of peers) {
    await cluster.writeMembers(peer.ready.node, [['node-1', addressOf(node)]]);
    await peerOnce(peer, 'node-1', ({ state }) => state === 'connected');
    await peerOnce(node, peer.ready.node, ({ state }) => state === 'connected');
  }

  /** What a node uses, and what keeps it from using another. */
  const shown = async (of = node) => {
    const [credentials] = (await askLocally(of, 'GetTlsState')).credentials;
    return {
      fingerprint: credentials?.certificate?.fingerprintSha256 ?? '',
      anchors: credentials?.anchors.length ?? 0,
      problem: credentials?.problem ?? '',
    };
  };
  const results = async () => {
    const { values } = await metrics.tlsCanary.get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels.result, value]));
  };
  return { cluster, nodes: [node, ...peers] as const, options, renew, trust, revoke, shown, results, log };
}

function withTls(options: FabricNodeOptions, tls: TlsOptions): FabricNodeOptions {
  const { networking } = options;
  return { ...options, networking: { ...networking, tls: { ...networking?.tls, ...tls } } };
}
