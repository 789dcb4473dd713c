// Three daemons: node-1 withdraws its trust from node-3, each time for another reason, and node-2 must not notice.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { suite, type TestContext, test } from 'node:test';
import type { Daemon } from '../../scripts/kit/daemon.ts';
import { type CertStore, initCertStore } from '../../src/dev-pki/cert-store.ts';
import type { RefusalReason } from '../../src/errors/refusal-reason.ts';
import { writeFileAtomic } from '../../src/lifecycle/atomic-write.ts';
import type { Connection } from '../../src/rpc/control-messages.ts';
import { until } from '../kit/until.ts';
import { askLocally, fabricUrl, type NodeConfig, peerOnce, refusal, TestCluster } from './test-cluster.ts';

type Direction = 'inbound' | 'outbound';
type TlsConfig = NonNullable<NodeConfig['tls']>;

/** How node-1 comes to trust node-3 no longer; undoing it makes them connect again. */
interface Withdrawal {
  readonly name: string;
  readonly reason: RefusalReason;
  /** Default: both. */
  readonly direction?: Direction;
  withdraw(scene: Scene): Promise<void>;
  undo(scene: Scene): Promise<void>;
}

const byConfig = (
  facts: Pick<Withdrawal, 'name' | 'reason' | 'direction'>,
  tls: (scene: Scene) => TlsConfig | Promise<TlsConfig>,
): Withdrawal => ({
  ...facts,
  withdraw: async scene => scene.configure(await tls(scene)),
  undo: scene => scene.configure({}),
});

const WITHDRAWALS: readonly Withdrawal[] = [
  byConfig({ name: 'the CA of node-3 is no longer named', reason: 'unknown_ca' }, () => ({
    'ca-file': ['certs/ca.pem'],
  })),
  {
    name: 'the file of the CAs loses that of node-3',
    reason: 'unknown_ca',
    withdraw: scene => scene.writeAnchors([scene.cluster.store]),
    undo: scene => scene.writeAnchors([scene.cluster.store, scene.otherStore]),
  },
  {
    name: 'a revocation list names it',
    reason: 'certificate_revoked',
    withdraw: async scene => scene.revoke([(await scene.leaf()).serialNumber]),
    undo: scene => scene.revoke([]),
  },
  byConfig({ name: 'the deny list names its fingerprint', reason: 'certificate_revoked' }, async scene => ({
    'denied-certificates': [`sha256:${(await scene.leaf()).fingerprint256}`],
  })),
  byConfig({ name: 'the deny list names its serial number', reason: 'certificate_revoked' }, async scene => ({
    'denied-certificates': [`serial:${(await scene.leaf()).serialNumber}`],
  })),
  byConfig({ name: 'the deny list names its subject', reason: 'certificate_revoked' }, () => ({
    'denied-certificates': ['uri:spiffe://dev/fabric/node-3'],
  })),
  byConfig({ name: 'no pattern allows it any more', reason: 'subject_not_allowed', direction: 'inbound' }, () => ({
    'allowed-subject-names': ['uri:spiffe://dev/fabric/node-1', 'uri:spiffe://dev/fabric/node-2'],
  })),
  byConfig(
    { name: 'no pattern for servers allows it any more', reason: 'server_identity_mismatch', direction: 'outbound' },
    () => ({ 'server-subject-names': ['uri:spiffe://dev/fabric/node-2'] }),
  ),
  {
    name: 'its certificate expires',
    reason: 'certificate_expired',
    withdraw: scene => scene.renew(new Date(Date.now() + SHORT_LIFE_MS)),
    undo: async scene => {
      await scene.renew();
      await scene.configure({});
    },
  },
];

/** Long enough to be taken and shown, also on a machine that is busy. */
const SHORT_LIFE_MS = 25_000;

// Both at a time: they mostly wait.
suite('who is no longer trusted is cut off with the reason, and nobody else', { concurrency: 2 }, () => {
  test('inbound', t => withdrawAll(t, 'inbound'));
  test('outbound', t => withdrawAll(t, 'outbound'));
});

async function withdrawAll(t: TestContext, direction: Direction): Promise<void> {
  const scene = await Scene.begin(t, direction);
  const kept = (await scene.connections()).filter(({ nodeName }) => nodeName === 'node-2').map(({ id }) => id);
  assert.ok(kept.length > 0);
  for (const withdrawal of WITHDRAWALS.filter(each => (each.direction ?? direction) === direction)) {
    t.diagnostic(withdrawal.name);
    await withdrawOne(scene, withdrawal);
    await withdrawal.undo(scene);
    await scene.connected();
  }
  const open = (await scene.connections()).map(({ id }) => id);
  for (const id of kept) assert.ok(open.includes(id), 'node-2 has the connection of the beginning');
}

async function withdrawOne(scene: Scene, { name, reason, withdraw }: Withdrawal): Promise<void> {
  const { node1, node3, direction } = scene;
  const since = [node1.lines.length, node3.lines.length] as const;
  await withdraw(scene);
  const shown = (await scene.leaf()).fingerprint256.replaceAll(':', '').toLowerCase();

  // The side that withdraws says so, of connections of this peer alone.
  const line = await node1.waitFor('connection.withdrawn', each => each.fingerprint === shown, since[0]);
  await until(`its connection is closed: ${name}`, async () =>
    (await scene.connections()).every(({ id }) => id !== line.connection),
  );
  for (const each of node1.lines.slice(since[0]).filter(({ event }) => event === 'connection.withdrawn')) {
    assert.match(String(each.subject), /node-3/);
    if (each.fingerprint === shown) assert.deepEqual([each.direction, each.reason], [direction, reason]);
  }

  // The other side is told: by the goodbye, and when one of them dials again.
  const goodbye = await node3.waitFor('peer.disconnected', each => each.reason === reason, since[1]);
  assert.deepEqual([goodbye.node, goodbye.by], ['node-1', 'peer'], JSON.stringify(goodbye));
  if (direction === 'inbound') {
    await refusal(node1, reason, { direction });
    await peerOnce(node3, 'node-1', peer => peer.reason === reason);
  } else {
    await peerOnce(node1, 'node-3', peer => peer.reason === reason);
  }
}

/** node-1, dialled by the others or dialling them; node-3 has a CA of its own, which node-1 trusts too. */
class Scene {
  readonly cluster: TestCluster;
  readonly otherStore: CertStore;
  readonly direction: Direction;
  readonly node1: Daemon;
  readonly node3: Daemon;
  readonly #members: NodeConfig['members'];

  static async begin(t: TestContext, direction: Direction): Promise<Scene> {
    const cluster = await TestCluster.make(t);
    const otherStore = await initCertStore(cluster.path('certs-b'), { clusterName: 'dev', commonName: 'CA B' });
    await otherStore.issueNode({ nodeName: 'node-3', hosts: [], localhost: true });
    await cluster.issue('node-3');
    await writeAnchors(cluster, [cluster.store, otherStore]);
    await writeRevoked(cluster, otherStore, []);
    const tlsOf3 = { 'cert-file': 'certs-b/node-3.pem', 'key-file': 'certs-b/node-3.key' };
    const startOthers = (members?: NodeConfig['members']) => {
      const config = members === undefined ? {} : { members };
      return Promise.all([
        cluster.start('node-2', config),
        cluster.start('node-3', { ...config, tls: { ...tlsOf3, 'ca-file': 'anchors.pem' } }),
      ]);
    };
    if (direction === 'inbound') {
      const node1 = await cluster.start('node-1', { tls: TLS });
      const [, node3] = await startOthers([memberOf(node1)]);
      return new Scene({ cluster, otherStore, direction, node1, node3 }, undefined).#whenConnected();
    }
    const others = await startOthers();
    const members = others.map(memberOf);
    const node1 = await cluster.start('node-1', { members, tls: TLS });
    return new Scene({ cluster, otherStore, direction, node1, node3: others[1] }, members).#whenConnected();
  }

  private constructor(
    {
      cluster,
      otherStore,
      direction,
      node1,
      node3,
    }: Pick<Scene, 'cluster' | 'otherStore' | 'direction' | 'node1' | 'node3'>,
    members: NodeConfig['members'],
  ) {
    this.cluster = cluster;
    this.otherStore = otherStore;
    this.direction = direction;
    this.node1 = node1;
    this.node3 = node3;
    this.#members = members;
  }

  /** Waits until node-1 has peer streams with both. */
  async connected(): Promise<void> {
    for (const name of ['node-2', 'node-3']) await peerOnce(this.node1, name, ({ state }) => state === 'connected');
  }

  async connections(): Promise<readonly Connection[]> {
    const { connections } = await askLocally(this.node1, 'ListConnections');
    return connections.filter(({ direction }) => direction === this.direction);
  }

  /** Lays these keys over the configuration of node-1. */
  async configure(tls: TlsConfig): Promise<void> {
    const members = this.#members === undefined ? {} : { members: this.#members };
    await this.cluster.writeConfig('node-1', { ...members, tls: { ...TLS, ...tls } });
  }

  writeAnchors(stores: readonly CertStore[]): Promise<void> {
    return writeAnchors(this.cluster, stores);
  }

  revoke(serialNumbers: readonly string[]): Promise<void> {
    return writeRevoked(this.cluster, this.otherStore, serialNumbers);
  }

  /** Gives node-3 another certificate. Who dialled it dials anew; who it dialled is dialled anew. */
  async renew(notAfter?: Date): Promise<void> {
    const since = this.node3.lines.length;
    await this.otherStore.issueNode({
      nodeName: 'node-3',
      hosts: [],
      localhost: true,
      force: true,
      ...(notAfter === undefined ? {} : { notAfter }),
    });
    const leaf = (await this.leaf()).fingerprint256;
    await this.node3.waitFor(
      'tls.reloaded',
      line => line.fingerprint === leaf.replaceAll(':', '').toLowerCase(),
      since,
    );
  }

  /** Of node-3. */
  async leaf(): Promise<X509Certificate> {
    return new X509Certificate(await readFile(this.cluster.path('certs-b', 'node-3.pem')));
  }

  async #whenConnected(): Promise<Scene> {
    await this.connected();
    return this;
  }
}

const TLS: TlsConfig = {
  'withdrawal-grace': '500ms',
  'ca-file': ['anchors.pem'],
  'crl-file': 'revoked.crl',
  // For members it would take the place of the names of servers.
  'node-identity': undefined,
  'server-subject-names': ['uri:spiffe://dev/fabric/*'],
};

function memberOf(daemon: Daemon): readonly [string, string] {
  return [daemon.ready.node, fabricUrl(daemon).origin];
}

async function writeAnchors(cluster: TestCluster, stores: readonly CertStore[]): Promise<void> {
  const anchors = stores.map(({ authority }) => authority.anchorsPem).join('\n');
  await writeFileAtomic(cluster.path('anchors.pem'), anchors, 0o600);
}

async function writeRevoked(cluster: TestCluster, store: CertStore, serialNumbers: readonly string[]): Promise<void> {
  const list = await store.authority.createCrl(serialNumbers.map(serialNumber => ({ serialNumber })));
  await writeFileAtomic(cluster.path('revoked.crl'), list, 0o600);
}
