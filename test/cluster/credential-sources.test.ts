import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import type { Daemon } from '../../scripts/kit/daemon.ts';
import { readPeerIdentity } from '../../src/identity/peer-identity.ts';
import { splitPem } from '../../src/identity/pem.ts';
import { runSelvedge } from '../cli/programs.ts';
import { type CredentialPlace, type PemSet, PLACES } from '../contract/credential-places.ts';
import { until } from '../kit/until.ts';
import { askLocally, peerOnce, TestCluster } from './test-cluster.ts';

/** Kinds of places, and the keys of the configuration that name one. */
const KINDS: Readonly<Record<string, (place: CredentialPlace) => SourceKeys>> = {
  'bundle, written over': ({ spec }) =>
    spec.kind === 'bundle'
      ? { tls: { source: 'bundle', 'bundle-file': spec.bundleFile, 'ca-file': [...spec.caFiles] } }
      : assert.fail(),
  'directory of spiffe-helper, written over': ({ name }) => ({ tls: { source: 'directory', directory: name } }),
  'directory of a Kubernetes Secret, ..data turned': ({ name }) => ({ tls: { source: 'directory', directory: name } }),
  'spiffe, an agent that answers': ({ name }) => ({
    tls: { source: 'spiffe', 'workload-api-socket': name.replace('spiffe:', '') },
  }),
  'auto, an agent before a directory': ({ name }) => ({
    tls: { source: 'auto' },
    env: { SPIFFE_ENDPOINT_SOCKET: name.replace('spiffe:unix:', 'unix://') },
  }),
};

interface SourceKeys {
  readonly tls: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

for (const [kind, keysOf] of Object.entries(KINDS)) {
  test(`a daemon with its credentials from ${kind}: it joins, says where from, and takes the next generation`, async t => {
    const { cluster, place, makeSet } = await setUp(t, kind);
    const { tls, env = {} } = keysOf(place);
    const first = await makeSet();
    await place.publish(first);
    const other = await cluster.start('node-2', { members: [['node-1', 'https://127.0.0.1:1']] });
    const members = [['node-2', other.ready.fabric[0] ?? '']] as const;
    const config = await cluster.writeConfig('node-1', { tls: { ...WITHOUT_FILES, ...tls }, members });
    const check = await runSelvedge(['check', '--config', config], { env });
    assert.equal(check.exitCode, 0, check.stderr);
    assert.ok(check.stdout.includes(place.name), check.stdout);

    const node = cluster.spawn('node-1', { env });
    await node.waitFor('node.ready');
    await peerOnce(node, 'node-2', ({ state, security }) => state === 'connected' && security === 'mutual_tls');
    const [credential] = (await askLocally(node, 'GetTlsState')).credentials;
    assert.equal(credential?.certificate?.fingerprintSha256, fingerprintOf(first));
    assert.ok(credential.place.startsWith(place.name), credential.place);

    const second = await makeSet();
    await place.publish(second);
    await node.waitFor('tls.reloaded', ({ fingerprint }) => fingerprint === fingerprintOf(second));
    await until('the peer sees the new certificate', () => isSeenBy(other, fingerprintOf(second)));
  });
}

test('the source is taken while running, as a whole or not at all', async t => {
  const { cluster, place, makeSet } = await setUp(t, 'directory of a Kubernetes Secret, ..data turned');
  const node = await cluster.start('node-1');
  const directory = { ...WITHOUT_FILES, source: 'directory', directory: place.name };
  await cluster.writeConfig('node-1', { tls: directory });
  const rejected = await node.waitFor('config.reload_rejected');
  assert.equal(rejected.reason, 'credentials_invalid');
  assert.match(JSON.stringify(rejected.problems), /holds no credentials: looked for svid\.pem/);

  const set = await makeSet();
  await place.publish(set);
  const { changed, cause } = await node.waitFor('config.reloaded');
  // The watch may tell of the same change of the configuration once more before its turn to be tried again has come.
  assert.ok(cause === 'retry' || cause === 'file_changed', `nobody has to ask for it, but: ${cause}`);
  assert.ok(Array.isArray(changed) && changed.includes('networking.tls.source'), String(changed));
  const [credential] = (await askLocally(node, 'GetTlsState')).credentials;
  assert.equal(credential?.certificate?.fingerprintSha256, fingerprintOf(set));
});

test('a source that cannot be used keeps a daemon from starting, and says so in one line', async t => {
  const { cluster, place } = await setUp(t, 'directory of spiffe-helper, written over');
  await cluster.writeConfig('node-1', { tls: { ...WITHOUT_FILES, source: 'directory', directory: place.name } });
  const node = cluster.spawn('node-1');
  assert.equal(await node.exited, 78);
  assert.match(node.stderr, /holds no credentials: looked for svid\.pem with svid_key\.pem/);
  await cluster.writeConfig('node-1', { tls: { source: 'directory', directory: place.name } });
  const mixed = cluster.spawn('node-1');
  assert.equal(await mixed.exited, 78);
  assert.match(
    mixed.stderr,
    /networking\.tls\.cert-file: The source "directory" of networking\.tls\.source does not use it\. Remove it/,
  );
});

const WITHOUT_FILES = { 'cert-file': undefined, 'key-file': undefined, 'ca-file': undefined };

async function setUp(t: TestContext, kind: string) {
  const cluster = await TestCluster.make(t);
  const place = (await PLACES[kind]?.(t)) ?? assert.fail(kind);
  const makeSet = async (): Promise<PemSet> => {
    const issued = await cluster.store.issueNode({ nodeName: 'node-1', hosts: [], localhost: true, force: true });
    return {
      spiffeId: 'spiffe://dev/fabric/node-1',
      certPem: await readFile(issued.certFile, 'utf8'),
      keyPem: await readFile(issued.keyFile, 'utf8'),
      caPem: await readFile(cluster.path('certs', 'ca.pem'), 'utf8'),
    };
  };
  return { cluster, place, makeSet };
}

function fingerprintOf({ certPem }: PemSet): string {
  return readPeerIdentity(splitPem(certPem)[0]?.der ?? Buffer.alloc(0)).fingerprint256;
}

async function isSeenBy(node: Daemon, fingerprint: string): Promise<boolean> {
  const { connections } = await askLocally(node, 'ListConnections');
  return connections.some(each => each.direction === 'inbound' && each.fingerprintSha256 === fingerprint);
}
