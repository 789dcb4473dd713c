import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { stringify } from 'smol-toml';
import { type CertStore, initCertStore } from '../../src/dev-pki/cert-store.ts';
import { messageOf } from '../../src/errors/selvedge-error.ts';
import type { FabricNodeOptions } from '../../src/index.ts';
import { auditJournals } from './ledger.ts';
import { Network } from './network.ts';
import { type Life, NodeProcess } from './node-process.ts';
import { PEER_LABEL } from './senders.ts';
import type { TrafficPlan } from './traffic.ts';

const HEARTBEAT_TIMEOUT_MS = 3_000;
const PORT = 5122;
const TRAFFIC: TrafficPlan = { rate: 120, timeoutMs: 3_000, bulkBytes: 4_096, largeEvery: 101 };
/** How late an end may be on a machine that has other things to do. */
const SLACK_MS = 10_000;

/** Three nodes, each a process on a host of its own, that send each other messages from the start. */
export class FaultCluster {
  readonly network: Network;
  readonly #directory: string;
  readonly #store: CertStore;
  readonly #plan: TrafficPlan;
  readonly #processes: NodeProcess[] = [];

  /** Resolves when every node is connected to both others. Everything ends with the test. */
  static async start(t: TestContext, plan: TrafficPlan = TRAFFIC): Promise<FaultCluster> {
    const network = await Network.create(['a', 'b', 'c']);
    t.after(() => network.close());
    const directory = await mkdtemp(join(tmpdir(), 'selvedge-faults-'));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const store = await initCertStore(join(directory, 'certs'), { clusterName: 'dev' });
    const cluster = new FaultCluster(network, directory, store, plan);
    t.after(() => Promise.all(cluster.#processes.map(process => process.kill())));
    await cluster.#start();
    return cluster;
  }

  private constructor(network: Network, directory: string, store: CertStore, plan: TrafficPlan) {
    this.network = network;
    this.#directory = directory;
    this.#store = store;
    this.#plan = plan;
  }

  async #start(): Promise<void> {
    const { hosts } = this.network;
    const member = hosts.map(({ name, address }) => ({ name, address: `${address}:${PORT}`, labels: PEER_LABEL }));
    await writeFile(this.#path('members.toml'), stringify({ member }));
    for (const { name, address } of hosts) await this.#store.issueNode({ nodeName: name, hosts: [address] });
    await Promise.all(hosts.map(({ name }) => this.launch(name)));
    for (const process of this.#processes)
      for (const { name } of hosts) if (name !== process.name) await process.sees(name, 'alive');
  }

  /** A new process of the node, which serves and sends when this resolves. */
  async launch(name: string): Promise<NodeProcess> {
    const run = `${name}-${this.#processes.length}`;
    const process = new NodeProcess(this.network.host(name), this.#path(`${run}.json`), {
      options: this.#optionsOf(name),
      peers: this.network.hosts.map(host => host.name).filter(other => other !== name),
      journal: this.#path(`${run}.jsonl`),
    });
    this.#processes.push(process);
    await process.ready();
    process.startTraffic(this.#plan);
    return process;
  }

  /** Gives the node another certificate and key. */
  async rotate(name: string): Promise<void> {
    await this.#store.rotate(name);
  }

  /** The newest process of the node. */
  process(name: string): NodeProcess {
    const found = this.#processes.findLast(process => process.name === name);
    if (found === undefined) throw new TypeError(`no process of ${name}`);
    return found;
  }

  /** The newest process of each node with the name of each other node. */
  pairs(): readonly (readonly [NodeProcess, string])[] {
    const names = this.network.hosts.map(({ name }) => name);
    return names.flatMap(from => names.filter(to => to !== from).map(to => [this.process(from), to] as const));
  }

  /**
   * Ends the traffic and holds all journals against one another.
   * @param t is told how many messages ended in which way.
   */
  async audit(t: TestContext): Promise<ReadonlyMap<string, number>> {
    const running = this.#processes.filter(({ isServing }) => isServing);
    const ends = await Promise.allSettled(running.map(process => process.stopTraffic()));
    const { violations, counts } = auditJournals(
      this.#processes.map(({ account }) => account),
      SLACK_MS,
    );
    for (const [end, count] of [...counts].toSorted()) t.diagnostic(`${end}: ${count}`);
    for (const [process, other] of this.pairs())
      t.diagnostic(`${process.name} of ${other}: ${process.livesOf(other).map(life).join(', ')}`);
    const problems = [
      ...ends.flatMap(end => (end.status === 'rejected' ? [messageOf(end.reason)] : [])),
      ...violations,
    ];
    assert.deepEqual(problems.slice(0, 20), [], `${problems.length} in all`);
    return counts;
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  #optionsOf(name: string): FabricNodeOptions {
    return {
      clusterName: 'dev',
      nodeName: name,
      dataDir: this.#path(name),
      networking: {
        bindAddress: `${this.network.host(name).address}:${PORT}`,
        heartbeatIntervalMs: 250,
        heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
        reconnectMaxDelayMs: 500,
        connectTimeoutMs: 2_000,
        holdTimeoutMs: 3_000,
        tls: {
          mode: 'strict',
          certFile: this.#path(`certs/${name}.pem`),
          keyFile: this.#path(`certs/${name}.key`),
          caFiles: [this.#path('certs/ca.pem')],
          allowedSubjectNames: ['uri:spiffe://dev/fabric/*'],
          nodeIdentity: 'uri:spiffe://dev/fabric/{node-name}',
        },
      },
      membership: { source: 'file', membersFile: this.#path('members.toml') },
    };
  }
}

function life({ state, reason }: Life): string {
  return `${state} (${reason})`;
}
