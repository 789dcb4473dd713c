import { mkdtemp, rm } from 'node:fs/promises';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { stringify } from 'smol-toml';
import { Daemon, type DaemonOptions, type LogLine } from '../../scripts/kit/daemon.ts';
import { type CertStore, initCertStore } from '../../src/dev-pki/cert-store.ts';
import { writeFileAtomic } from '../../src/lifecycle/atomic-write.ts';
import type { FabricNodeOptions, TlsMode } from '../../src/node/node-options.ts';
import { type NodeControlMethods, type NodeStatus, nodeControl, type Peer } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { until } from '../kit/until.ts';

type Table = Readonly<Record<string, unknown>>;

/** What the configuration of a node says; each table is laid over the one of {@link TestCluster}, undefined removes. */
export interface NodeConfig {
  /** Default `strict`. */
  readonly mode?: TlsMode;
  readonly top?: Table;
  readonly networking?: Table;
  readonly tls?: Table;
  /** The members file, each `[name, address]`. Default: no membership source. */
  readonly members?: readonly (readonly [string, string])[];
}

/** Certificates, configurations and daemons of one test, in a directory of their own. Everything ends with the test. */
export class TestCluster {
  readonly directory: string;
  readonly store: CertStore;
  readonly #daemons: Daemon[] = [];

  static async make(t: TestContext): Promise<TestCluster> {
    const directory = await mkdtemp(join(tmpdir(), 'selvedge-cluster-'));
    const store = await initCertStore(join(directory, 'certs'), { clusterName: 'dev' });
    const cluster = new TestCluster(directory, store);
    t.after(async () => {
      await Promise.all(cluster.#daemons.map(killed));
      // A node that a test runs in its own process may write until it is closed, after this.
      await rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    });
    return cluster;
  }

  private constructor(directory: string, store: CertStore) {
    this.directory = directory;
    this.store = store;
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }

  /** A certificate for the node, with every name of loopback. */
  async issue(name: string): Promise<void> {
    await this.store.issueNode({ nodeName: name, hosts: [], localhost: true });
  }

  /** Replaces the configuration in one step. Resolves with its path. */
  async writeConfig(name: string, config: NodeConfig = {}): Promise<string> {
    const file = this.path(`${name}.toml`);
    if (config.members !== undefined) await this.writeMembers(name, config.members);
    await writeFileAtomic(file, stringify(configOf(name, config)), 0o600);
    return file;
  }

  async writeMembers(name: string, members: readonly (readonly [string, string])[]): Promise<void> {
    const member = members.map(([member, address]) => ({ name: member, address }));
    await writeFileAtomic(this.path(`members-${name}.toml`), stringify({ member }), 0o600);
  }

  /** A process of a configuration that was written; not waited for. */
  spawn(name: string, options: Omit<DaemonOptions, 'config'> = {}): Daemon {
    const daemon = new Daemon({ config: this.path(`${name}.toml`), ...options });
    this.#daemons.push(daemon);
    return daemon;
  }

  /** Issues a certificate where there is none, writes the configuration, and starts a daemon that serves. */
  async start(name: string, config: NodeConfig = {}, options: Omit<DaemonOptions, 'config'> = {}): Promise<Daemon> {
    if (!(await this.store.list()).some(stored => stored.name === name)) await this.issue(name);
    await this.writeConfig(name, config);
    const daemon = this.spawn(name, options);
    await daemon.waitFor('node.ready');
    return daemon;
  }

  /** Options of a library node in this process that is configured like the daemons. */
  async nodeOptions(name: string, mode: TlsMode, members: NodeConfig['members'] = []): Promise<FabricNodeOptions> {
    await this.issue(name);
    await this.writeMembers(name, members);
    return {
      clusterName: 'dev',
      nodeName: name,
      dataDir: this.path('data', name),
      networking: {
        bindAddress: '127.0.0.1:0',
        refusedHoldTimeoutMs: 100,
        reconnectMaxDelayMs: 200,
        tls: {
          mode,
          certFile: this.path('certs', `${name}.pem`),
          keyFile: this.path('certs', `${name}.key`),
          caFiles: [this.path('certs', 'ca.pem')],
          allowedSubjectNames: ['uri:spiffe://dev/fabric/*'],
          nodeIdentity: 'uri:spiffe://dev/fabric/{node-name}',
        },
      },
      membership: { source: 'file', membersFile: this.path(`members-${name}.toml`) },
    };
  }
}

/** Calls a control method over an admin socket: that of a daemon, or of a library node. */
export async function askLocally<Name extends keyof NodeControlMethods & string>(
  { ready: { admin } }: { readonly ready: { readonly admin: string } },
  method: Name,
): Promise<NodeControlMethods[Name]['response']> {
  const client = new grpc.Client(admin, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  try {
    return await callUnary(client, nodeControl, method, {} as NodeControlMethods[Name]['request'], {
      timeoutMs: 30_000,
    });
  } finally {
    client.close();
  }
}

/** The entry of a peer, as soon as it `matches`. */
export async function peerOnce(
  node: { readonly ready: { readonly admin: string; readonly node: string } },
  name: string,
  matches: (peer: Peer) => boolean,
): Promise<Peer> {
  let found: Peer | undefined;
  let seen: NodeStatus['peers'] = [];
  try {
    await until('the peer', async () => {
      seen = (await askLocally(node, 'GetStatus')).peers;
      found = seen.find(peer => peer.nodeName === name && matches(peer));
      return found !== undefined;
    });
  } catch (error) {
    const facts = seen.map(({ nodeName, state, security, reason, detail }) => ({
      nodeName,
      state,
      security,
      reason,
      detail,
    }));
    throw new Error(`${node.ready.node} never saw ${name} as expected, but ${JSON.stringify(facts)}`, { cause: error });
  }
  if (found === undefined) throw new TypeError('unreachable');
  return found;
}

/** Host and port of the first advertised address. */
export function fabricUrl({ ready }: { readonly ready: { readonly fabric: readonly string[] } }): URL {
  return new URL(ready.fabric[0] ?? '');
}

export function fabricPort(node: { readonly ready: { readonly fabric: readonly string[] } }): number {
  return Number(fabricUrl(node).port);
}

/** The `connection.refused` line of a daemon with this reason; waits for it. */
export function refusal(daemon: Daemon, reason: string, facts: Table = {}): Promise<LogLine> {
  return daemon.waitFor(
    'connection.refused',
    line => line.reason === reason && Object.entries(facts).every(([name, value]) => line[name] === value),
  );
}

/** A port of loopback that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function configOf(name: string, config: NodeConfig): Table {
  const mode = config.mode ?? 'strict';
  const tls = {
    mode,
    'cert-file': `certs/${name}.pem`,
    'key-file': `certs/${name}.key`,
    'ca-file': 'certs/ca.pem',
    'allowed-subject-names': ['uri:spiffe://dev/fabric/*'],
    'node-identity': 'uri:spiffe://dev/fabric/{node-name}',
    ...config.tls,
  };
  const networking = { 'bind-address': '127.0.0.1:0', 'reconnect-max-delay': '200ms', tls, ...config.networking };
  return {
    'cluster-name': 'dev',
    'node-name': name,
    'data-dir': `data/${name}`,
    networking,
    ...(config.members === undefined ? {} : { membership: { source: 'file', 'members-file': `members-${name}.toml` } }),
    authorization: { 'admin-subject-names': ['uri:spiffe://dev/admin/*'] },
    ...config.top,
  };
}

async function killed(daemon: Daemon): Promise<void> {
  if (daemon.exitCode === undefined) daemon.signal('SIGKILL');
  await daemon.exited;
}
