import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { type CertStore, initCertStore } from '../../src/dev-pki/cert-store.ts';
import { writeFileAtomic } from '../../src/lifecycle/atomic-write.ts';
import { type CheckModeResponse, type NodeStatus, nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { Daemon } from './daemon.ts';
import { freePorts } from './free-ports.ts';
import type { LoadStats } from './load.ts';
import { statsOf, sumOfStats } from './load-stats.ts';

const LOAD_NODE = fileURLToPath(new URL('./load-node.ts', import.meta.url));

export const MODES = ['plain', 'optional', 'strict'] as const;
export type Mode = (typeof MODES)[number];

/** One node of the demonstration: its config file, its present process, and what all its processes counted. */
export interface UpgradeNode {
  readonly name: string;
  readonly config: string;
  readonly port: number;
  mode: Mode;
  daemon: Daemon;
  /** Counts of processes that ended. */
  readonly before: LoadStats[];
}

/** Three daemons under load in a directory of their own, to be walked from mode to mode. */
export class UpgradeCluster {
  readonly nodes: UpgradeNode[] = [];
  readonly directory: string;
  readonly #store: CertStore;
  readonly #drainTimeout: string;
  #ports: readonly number[] = [];

  static async start(options: { mode: Mode; size?: number; drainTimeout?: string }): Promise<UpgradeCluster> {
    const directory = await mkdtemp(join(tmpdir(), 'selvedge-upgrade-'));
    const store = await initCertStore(join(directory, 'certs'), { clusterName: 'demo' });
    const cluster = new UpgradeCluster(directory, store, options.drainTimeout ?? '2s');
    await cluster.#start(options.mode, options.size ?? 3);
    return cluster;
  }

  private constructor(directory: string, store: CertStore, drainTimeout: string) {
    this.directory = directory;
    this.#store = store;
    this.#drainTimeout = drainTimeout;
  }

  async #start(mode: Mode, size: number): Promise<void> {
    const names = Array.from({ length: size }, (_, index) => `node-${index + 1}`);
    this.#ports = await freePorts(size);
    const members = names.map(
      (name, index) => `[[member]]\nname = "${name}"\naddress = "127.0.0.1:${this.#ports[index]}"\n`,
    );
    await writeFile(join(this.directory, 'members.toml'), members.join('\n'));
    for (const [index, name] of names.entries()) {
      await this.#store.issueNode({ nodeName: name, hosts: ['127.0.0.1'] });
      const config = join(this.directory, `${name}.toml`);
      const port = this.#ports[index] ?? 0;
      await writeFile(config, this.#configOf(name, port, mode));
      this.nodes.push({ name, config, port, mode, daemon: this.#spawn(config, name, names), before: [] });
    }
    await Promise.all(this.nodes.map(node => node.daemon.waitFor('node.ready')));
  }

  /** Rewrites the config of a running node, as an operator would with an editor. */
  async editLive(node: UpgradeNode, mode: Mode): Promise<void> {
    await writeFileAtomic(node.config, this.#configOf(node.name, node.port, mode), 0o600);
    node.mode = mode;
  }

  /** Rewrites the config, drains the node and starts it again. */
  async restart(node: UpgradeNode, mode: Mode): Promise<void> {
    const code = await node.daemon.stop();
    if (code !== 0) throw new Error(`${node.name} ended with ${code} after its drain: ${node.daemon.stderr}`);
    node.before.push(statsOf(node.daemon));
    await writeFileAtomic(node.config, this.#configOf(node.name, node.port, mode), 0o600);
    node.mode = mode;
    node.daemon = this.#spawn(
      node.config,
      node.name,
      this.nodes.map(({ name }) => name),
    );
    await node.daemon.waitFor('node.ready');
  }

  status(node: UpgradeNode): Promise<NodeStatus> {
    return this.#ask(node, client => callUnary(client, nodeControl, 'GetStatus', {}));
  }

  preflight(node: UpgradeNode, to: Mode): Promise<CheckModeResponse> {
    return this.#ask(node, client => callUnary(client, nodeControl, 'CheckMode', { to }));
  }

  /** All calls of all processes so far. */
  totals(): LoadStats {
    return sumOfStats(this.nodes.flatMap(node => [...node.before, statsOf(node.daemon)]));
  }

  /** Ends the calls of all nodes and waits for the last one. */
  async stopLoad(): Promise<void> {
    for (const { daemon } of this.nodes) daemon.signal('SIGUSR2');
    await Promise.allSettled(this.nodes.map(({ daemon }) => daemon.waitFor('load.stopped')));
  }

  /** Ends the calls, then drains all nodes; resolves with their exit codes. */
  async stop(): Promise<readonly number[]> {
    await this.stopLoad();
    const codes = await Promise.all(this.nodes.map(node => node.daemon.stop()));
    await rm(this.directory, { recursive: true, force: true });
    return codes;
  }

  #spawn(config: string, name: string, names: readonly string[]): Daemon {
    const others = names.filter(other => other !== name).join(',');
    return new Daemon({ config, program: [LOAD_NODE, config, others] });
  }

  async #ask<T>(node: UpgradeNode, ask: (client: grpc.Client) => Promise<T>): Promise<T> {
    const client = new grpc.Client(
      `unix:${join(this.directory, node.name, 'admin.sock')}`,
      grpc.credentials.createInsecure(),
    );
    try {
      return await ask(client);
    } finally {
      client.close();
    }
  }

  #configOf(name: string, port: number, mode: Mode): string {
    const tls = `
[networking.tls]
mode = "${mode}"
cert-file = "certs/${name}.pem"
key-file = "certs/${name}.key"
ca-file = "certs/ca.pem"
allowed-subject-names = ["uri:spiffe://demo/fabric/*"]
node-identity = "uri:spiffe://demo/fabric/{node-name}"
`;
    return `cluster-name = "demo"
node-name = "${name}"
data-dir = "${name}"

[networking]
bind-address = "127.0.0.1:${port}"
drain-timeout = "${this.#drainTimeout}"
${mode === 'plain' ? '' : tls}
[membership]
source = "file"
members-file = "members.toml"
`;
  }
}
