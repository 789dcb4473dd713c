import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import type { Daemon } from '../../scripts/kit/daemon.ts';
import type { LoadStats } from '../../scripts/kit/load.ts';
import { statsOf, sumOfStats } from '../../scripts/kit/load-stats.ts';
import { EtcdClient } from '../../src/rpc/etcd-client.ts';
import { type ProgramRun, runCtl } from '../cli/programs.ts';
import { TestCluster } from '../cluster/test-cluster.ts';
import { until } from '../kit/until.ts';
import { EtcdAdmin, type EtcdProcess, etcdChannel, nodePermissions, startEtcd } from './etcd.ts';
import { needsUnguarded } from './etcd-binary.ts';

const LOAD_NODE = fileURLToPath(new URL('../../scripts/kit/load-node.ts', import.meta.url));
const PREFIX = '/selvedge/dev/';
const DEADLINE_MS = 90_000;

/** What a table says of one member, whoever is asked. */
export interface Row {
  readonly node_name: string;
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly zone: string;
  readonly weight: number;
  readonly membership_state: string;
}

/** Daemons under load on one etcd, all with certificates of one cluster, and an operator on the machine of node-1. */
export class EtcdScene {
  readonly cluster: TestCluster;
  readonly etcd: EtcdProcess;
  readonly #t: TestContext;
  readonly #isUnguarded: boolean;
  readonly #daemons = new Map<string, Daemon>();

  /** An etcd that takes certificates of the cluster: each node may write its own keys, and node-1 who the members are. */
  static async make(t: TestContext, names: readonly string[]): Promise<EtcdScene> {
    const isUnguarded = await needsUnguarded(t);
    const cluster = await TestCluster.make(t);
    for (const name of ['etcd', 'root', ...names]) await cluster.issue(name);
    await cluster.store.issueAdmin({ adminName: 'ann' });
    const etcd = await startEtcd(cluster.path('etcd'), { credentials: { path: file => pathIn(cluster, file) } });
    t.after(() => etcd.stop());
    const scene = new EtcdScene(t, cluster, etcd, isUnguarded);
    const admin = await scene.admin();
    for (const name of names) {
      const roster = { key: `${PREFIX}members/`, isPrefix: true, access: 'READWRITE' } as const;
      await admin.addUser(name, [...nodePermissions(PREFIX, name), ...(name === 'node-1' ? [roster] : [])]);
    }
    await admin.enableAuth();
    return scene;
  }

  private constructor(t: TestContext, cluster: TestCluster, etcd: EtcdProcess, isUnguarded: boolean) {
    this.#isUnguarded = isUnguarded;
    this.#t = t;
    this.cluster = cluster;
    this.etcd = etcd;
  }

  /** As the user `root`, or as the node whose certificate is shown. */
  async admin(user = 'root'): Promise<EtcdAdmin> {
    return new EtcdAdmin(await this.#channel(user));
  }

  #channel(user: string) {
    const spec = {
      kind: 'files',
      certFile: this.cluster.path('certs', `${user}.pem`),
      keyFile: this.cluster.path('certs', `${user}.key`),
      caFiles: [this.cluster.path('certs', 'ca.pem')],
      crlFiles: [],
    } as const;
    return etcdChannel(this.#t, this.etcd.port, { spec });
  }

  /** Forgets all that was before now. */
  async compact(): Promise<void> {
    const { revision } = await new EtcdClient(await this.#channel('root'), { timeoutMs: 20_000 }).rangeOf(PREFIX);
    await (await this.admin()).compact(revision);
  }

  spawn(name: string): Daemon {
    const daemon = this.cluster.spawn(name, { program: [LOAD_NODE, this.cluster.path(`${name}.toml`), 'ready'] });
    this.#daemons.set(name, daemon);
    return daemon;
  }

  /** `[membership.etcd]` of a node. */
  get config(): object {
    const times = { 'lease-ttl': '10s', 'request-timeout': '3s' };
    return { endpoints: [this.etcd.endpoint], ...times, 'allow-unguarded': this.#isUnguarded };
  }

  async start(name: string): Promise<void> {
    await this.cluster.writeConfig(name, { top: { membership: { source: 'etcd', etcd: this.config } } });
    await this.spawn(name).waitFor('node.ready');
  }

  daemon(name: string): Daemon {
    return this.#daemons.get(name) ?? assert.fail(`${name} was not started`);
  }

  forget(name: string): void {
    this.#daemons.delete(name);
  }

  /** How far each log is. */
  marks(): ReadonlyMap<string, number> {
    return new Map([...this.#daemons].map(([name, { lines }]) => [name, lines.length]));
  }

  async allSay(event: string, since: ReadonlyMap<string, number> = new Map()): Promise<void> {
    for (const [name, daemon] of this.#daemons) await daemon.waitFor(event, () => true, since.get(name) ?? 0);
  }

  /** Every daemon lists exactly these members, itself among them, and is connected to all others. */
  async allList(names: readonly string[]): Promise<void> {
    for (const asked of this.#daemons.keys()) {
      let seen: unknown;
      const lists = async () => {
        const nodes = await this.#nodes(asked);
        seen = nodes.map(({ node_name: name, state, reason }) => `${name} ${state} ${reason}`);
        return (
          JSON.stringify(nodes.map(({ node_name: name }) => name).sort()) === JSON.stringify([...names].sort()) &&
          nodes.every(({ state }) => state === 'connected' || state === 'self')
        );
      };
      await until(`${asked} lists ${names}`, lists, DEADLINE_MS).catch((error: unknown) => {
        throw new Error(`${asked} lists ${JSON.stringify(seen)}`, { cause: error });
      });
    }
  }

  async allShow(name: string, matches: (row: Row) => boolean): Promise<void> {
    for (const asked of this.#daemons.keys())
      await until(
        `${asked} shows ${name} as it is`,
        async () => (await this.table(asked)).some(row => row.node_name === name && matches(row)),
        DEADLINE_MS,
      );
  }

  async table(asked: string): Promise<readonly Row[]> {
    const nodes = await this.#nodes(asked);
    return nodes
      .map(({ node_name, addresses, labels, zone, weight, membership_state }) => ({
        node_name,
        addresses,
        labels,
        zone,
        weight,
        membership_state,
      }))
      .sort((a, b) => (a.node_name < b.node_name ? -1 : 1));
  }

  /** An operator on the machine of node-1. */
  async ctl(...args: readonly string[]): Promise<void> {
    const { exitCode, stderr } = await runCtl([...args, '--config', this.cluster.path('node-1.toml')]);
    assert.equal(exitCode, 0, stderr);
  }

  ctlFails(...args: readonly string[]): Promise<ProgramRun> {
    return runCtl([...args, '--config', this.cluster.path('node-1.toml')]);
  }

  /** Each daemon has done more calls of each kind from now on. */
  async called(): Promise<void> {
    const count = (name: string) => {
      const { unary, serverStreaming, bidirectional } = statsOf(this.daemon(name));
      return [unary, serverStreaming, bidirectional];
    };
    const before = new Map([...this.#daemons.keys()].map(name => [name, count(name)]));
    for (const [name, counts] of before)
      await until(
        `${name} goes on calling`,
        () => count(name).every((now, index) => now >= (counts[index] ?? 0) + 2),
        DEADLINE_MS,
      );
  }

  /** With the certificate of node-5: through a node, and at etcd itself. */
  async attack(): Promise<void> {
    const tls = ['--tls-ca', 'ca.pem', '--tls-cert', 'node-5.pem', '--tls-key', 'node-5.key'];
    const files = tls.map(part => (part.startsWith('--') ? part : this.cluster.path('certs', part)));
    const address = this.daemon('node-1').ready.fabric.join();
    for (const change of [
      ['add', 'node-9'],
      ['remove', 'node-2'],
      ['drain', 'node-2'],
      ['terminate', 'node-2'],
    ]) {
      const { exitCode, stderr } = await runCtl(['nodes', ...change, '-s', address, ...files]);
      assert.equal(exitCode, 1, `${change.join(' ')}: ${stderr}`);
      assert.match(stderr, /permission denied/, change.join(' '));
    }
    const thief = await this.admin('node-5');
    const denied = { code: status.PERMISSION_DENIED };
    const elsewhere = { addresses: ['https://127.0.0.1:1'], labels: {}, weight: 1, generation: 1 };
    await assert.rejects(thief.put(`${PREFIX}members/node-2`, { state: 'removed', by: 'x', atMs: 1 }), denied);
    await assert.rejects(thief.put(`${PREFIX}nodes/node-2`, elsewhere), denied);
    await assert.rejects(thief.put(`${PREFIX}nodes/node-9`, elsewhere), denied);
    await assert.rejects(thief.put(`${PREFIX}holders/node-2`, { holder: 'x', generation: 1 }), denied);
    for (const key of ['members/node-6', 'nodes/node-2', 'holders/node-2'])
      await assert.rejects(thief.delete(PREFIX + key), denied);
  }

  async stopLoad(): Promise<LoadStats> {
    const daemons = [...this.#daemons.values()];
    for (const daemon of daemons) daemon.signal('SIGUSR2');
    for (const daemon of daemons) await daemon.waitFor('load.stopped');
    return sumOfStats(daemons.map(statsOf));
  }

  async #nodes(asked: string): Promise<readonly (Row & { readonly state: string; readonly reason: string })[]> {
    const { stdout } = await runCtl(['nodes', 'list', '-o', 'json', '-s', this.daemon(asked).ready.admin]);
    return JSON.parse(stdout);
  }
}

function pathIn(cluster: TestCluster, file: string): string {
  return cluster.path('certs', file.replace(/^node\./, 'etcd.'));
}
