import assert from 'node:assert/strict';
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

/** `node-1`, which dials `node-2` and `node-3`; each trusts what a file of its own holds. */
async function setUp(t: TestContext, validity: Pick<CertificateRequest, 'notBefore' | 'notAfter'> = {}) {
  const cluster = await TestCluster.make(t);
  const { authority } = cluster.store;
  const log: LogLine[] = [];
  const metrics = createMetrics();
  const caFile = (name: string) => cluster.path(`ca-${name}.pem`);
  const trust = (name: string, ...authorities: readonly Authority[]) =>
    writeFileAtomic(caFile(name), authorities.map(({ anchorsPem }) => anchorsPem).join(''), 0o644);
  const renew = async (issuer: Authority, request: Partial<CertificateRequest> = {}) => {
    const { certPem, keyPem } = await issuer.issue({
      commonName: 'node-1',
      uris: ['spiffe://dev/fabric/node-1'],
      ...request,
    });
    await writeFileAtomic(cluster.path('certs', 'node-1.key'), keyPem, 0o600);
    await writeFileAtomic(cluster.path('certs', 'node-1.pem'), certPem, 0o644);
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
  const options = await optionsOf('node-1', members);
  await renew(authority, validity);
  const node = await start(options, { metrics, log });
  for (const peer of peers) {
    await cluster.writeMembers(peer.ready.node, [['node-1', addressOf(node)]]);
    await peerOnce(peer, 'node-1', ({ state }) => state === 'connected');
    await peerOnce(node, peer.ready.node, ({ state }) => state === 'connected');
  }

  /** What node-1 uses, and what keeps it from using another. */
  const shown = async () => {
    const [credentials] = (await askLocally(node, 'GetTlsState')).credentials;
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
  return { cluster, nodes: [node, ...peers] as const, options, renew, trust, shown, results, log };
}

function withTls(options: FabricNodeOptions, tls: TlsOptions): FabricNodeOptions {
  const { networking } = options;
  return { ...options, networking: { ...networking, tls: { ...networking?.tls, ...tls } } };
}
