// A member that spoke mutual TLS and comes back in plaintext, as its neighbours see it.
import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import type { Daemon } from '../../scripts/kit/daemon.ts';
import type { Peer } from '../../src/rpc/control-messages.ts';
import { helloOf, RawDialler } from '../kit/raw-peer.ts';
import { until } from '../kit/until.ts';
import { askLocally, closedPort, type NodeConfig, peerOnce, refusal, TestCluster } from './test-cluster.ts';

test('without refuse-downgrade it is let in, and seen: in the log, by a metric, in the status, also after a restart', async t => {
  const pair = await Pair.make(t, {});
  await pair.restartSecond('plain');
  const line = await pair.first.waitFor('peer.downgraded');
  assert.deepEqual([line.node, line.decision, line.security], ['node-2', 'allow', 'none']);
  await peerOnce(pair.first, 'node-2', withSecurity('none'));
  await pair.restartFirst();
  await pair.first.waitFor('peer.downgraded', again => again.node === 'node-2' && again.decision === 'allow');
  const { notices, state } = await askLocally(pair.first, 'GetStatus');
  assert.match(notices.join('\n'), /^node-2 spoke mutual TLS and came back without it, and is let in, since /m);
  assert.equal(state, 'ready');
  const exposed = await metricsOf(pair.first);
  assert.match(exposed, /^selvedge_downgraded_peers 1$/m);
  assert.match(exposed, /^selvedge_peer_downgrades_total\{decision="allow"\} 1$/m);
  assert.doesNotMatch(exposed, /node-2/);
  await pair.restartSecond('optional');
  await pair.first.waitFor('peer.downgrade_ended', ended => ended.reason === 'mutual_tls');
  assert.doesNotMatch((await askLocally(pair.first, 'GetStatus')).notices.join('\n'), /came back/);
  assert.equal((await stat(pair.cluster.path('data', 'node-1', 'members-with-tls.json'))).mode & 0o777, 0o600);
});

test('with refuse-downgrade it is refused both ways, also after a restart, until the members file lists http anew', async t => {
  const pair = await Pair.make(t, { 'refuse-downgrade': true });
  const second = await pair.restartSecond('plain');
  await refusal(pair.first, 'downgrade_refused', { direction: 'inbound', node: 'node-2' });
  await refusal(pair.first, 'tls_on_plain_listener', { direction: 'outbound', node: 'node-2' });
  await second.waitFor('peer.refused', line => line.reason === 'downgrade_refused' && line.by === 'peer');
  await pair.first.waitFor('peer.downgraded', line => line.decision === 'deny');
  await pair.restartFirst();
  await refusal(pair.first, 'downgrade_refused', { direction: 'inbound', node: 'node-2' });
  await refusal(pair.first, 'tls_on_plain_listener', { direction: 'outbound', node: 'node-2' });
  assert.ok(!pair.first.lines.some(line => line.event === 'peer.connected'));
  const { notices } = await askLocally(pair.first, 'GetStatus');
  assert.match(notices.join('\n'), /^node-2 spoke mutual TLS and came back without it, and is refused, since /m);
  // Another entry without http is none that permits.
  await pair.list(`localhost:${pair.ports[1]}`);
  const seen = pair.first.lines.length;
  await pair.first.waitFor('connection.refused', line => line.reason === 'tls_on_plain_listener', seen);
  await pair.list(`http://127.0.0.1:${pair.ports[1]}`);
  await pair.first.waitFor('peer.downgrade_ended', ended => ended.reason === 'permitted');
  await peerOnce(pair.first, 'node-2', withSecurity('none'));
  await peerOnce(second, 'node-1', withSecurity('none'));
});

test('with refuse-downgrade the way down is open to a member that changes its mode while it runs: it says so over mutual TLS', async t => {
  const pair = await Pair.make(t, { 'refuse-downgrade': true });
  await pair.write('node-2', 'plain');
  await pair.second.waitFor('config.reloaded');
  await peerOnce(pair.first, 'node-2', peer => withSecurity('none')(peer) && peer.mode === 'plain');
  await pair.restartFirst();
  await peerOnce(pair.first, 'node-2', withSecurity('none'));
  assert.ok(!pair.first.lines.some(line => line.event === 'peer.downgraded' || line.reason === 'downgrade_refused'));
  await pair.write('node-2', 'optional');
  await peerOnce(pair.first, 'node-2', withSecurity('mutual_tls'));
  await pair.restartSecond('plain');
  await refusal(pair.first, 'downgrade_refused', { direction: 'inbound', node: 'node-2' });
});

test('a stranger who says in plaintext to be a member that is away neither gets in nor keeps it out', async t => {
  const pair = await Pair.make(t, { 'refuse-downgrade': true });
  await pair.second.stop();
  for (const mode of ['plain', 'optional']) {
    using stranger = new RawDialler(pair.ports[0]);
    stranger.read();
    const generation = Date.now() + 3_600_000;
    stranger.call.write(
      helloOf('node-2', { clusterName: 'dev', mode, generation, advertisedAddresses: ['http://127.0.0.1:9'] }),
    );
    await until('it is refused', () => stranger.status !== undefined);
    assert.deepEqual(stranger.status?.metadata.get('selvedge-reason'), ['downgrade_refused']);
    assert.deepEqual(stranger.frames, []);
  }
  await pair.restartSecond('optional');
  await peerOnce(pair.first, 'node-2', withSecurity('mutual_tls'));
  await pair.first.waitFor('peer.downgrade_ended', ended => ended.reason === 'mutual_tls');
});

test('refuse-downgrade that is turned on ends what is in plaintext already', async t => {
  const pair = await Pair.make(t, {});
  const second = await pair.restartSecond('plain');
  await peerOnce(pair.first, 'node-2', withSecurity('none'));
  await pair.write('node-1', 'optional', { 'refuse-downgrade': true });
  await second.waitFor('peer.disconnected', line => line.reason === 'downgrade_refused' && line.by === 'peer');
  await refusal(pair.first, 'downgrade_refused', { direction: 'inbound', node: 'node-2' });
});

test('a memory that holds nonsense is told, and the node starts', async t => {
  const pair = await Pair.make(t, {});
  await pair.first.stop();
  await writeFile(pair.cluster.path('data', 'node-1', 'members-with-tls.json'), 'nonsense');
  await pair.startFirst();
  await pair.first.waitFor('membership.memory_rejected', line => line.problem === 'is not JSON');
  await peerOnce(pair.first, 'node-2', withSecurity('mutual_tls'));
  assert.match((await askLocally(pair.first, 'GetStatus')).notices.join(), /the file is not JSON/);
});

/** Two nodes in optional that have spoken mutual TLS; the first one is looked at. */
class Pair {
  readonly cluster: TestCluster;
  readonly ports: readonly [number, number];
  first!: Daemon;
  second!: Daemon;
  readonly #tls: NodeConfig['tls'];

  static async make(t: TestContext, tls: NonNullable<NodeConfig['tls']>): Promise<Pair> {
    const pair = new Pair(await TestCluster.make(t), [await closedPort(), await closedPort()], tls);
    await pair.cluster.issue('node-1');
    await pair.cluster.issue('node-2');
    await pair.list(`127.0.0.1:${pair.ports[1]}`);
    await pair.cluster.writeMembers('node-2', [['node-1', `127.0.0.1:${pair.ports[0]}`]]);
    await pair.write('node-1', 'optional');
    await pair.startFirst();
    await pair.#startSecond('optional');
    await peerOnce(pair.first, 'node-2', withSecurity('mutual_tls'));
    return pair;
  }

  private constructor(cluster: TestCluster, ports: readonly [number, number], tls: NodeConfig['tls']) {
    this.cluster = cluster;
    this.ports = ports;
    this.#tls = tls;
  }

  /** The entry of node-2 in the members file of node-1. */
  async list(address: string): Promise<void> {
    await this.cluster.writeMembers('node-1', [['node-2', address]]);
  }

  async write(
    name: 'node-1' | 'node-2',
    mode: 'plain' | 'optional',
    tls: NodeConfig['tls'] = this.#tls,
  ): Promise<void> {
    const bind = `127.0.0.1:${this.ports[name === 'node-1' ? 0 : 1]}`;
    const membership = { source: 'file', 'members-file': `members-${name}.toml` };
    const top = { membership, observability: { 'bind-address': '127.0.0.1:0' } };
    const config = { mode, top, networking: { 'bind-address': bind, 'drain-timeout': '1s' } };
    await this.cluster.writeConfig(name, { ...config, ...(name === 'node-1' && tls ? { tls } : {}) });
  }

  async restartSecond(mode: 'plain' | 'optional'): Promise<Daemon> {
    await this.second.stop();
    await this.#startSecond(mode);
    return this.second;
  }

  async restartFirst(): Promise<void> {
    await this.first.stop();
    await this.startFirst();
  }

  async startFirst(): Promise<void> {
    this.first = this.cluster.spawn('node-1');
    await this.first.waitFor('node.ready');
  }

  async #startSecond(mode: 'plain' | 'optional'): Promise<void> {
    await this.write('node-2', mode);
    this.second = this.cluster.spawn('node-2');
    await this.second.waitFor('node.ready');
  }
}

function withSecurity(security: string): (peer: Peer) => boolean {
  return peer => peer.state === 'connected' && peer.security === security;
}

async function metricsOf({ ready }: Daemon): Promise<string> {
  return (await fetch(`${ready.observability}/metrics`)).text();
}
