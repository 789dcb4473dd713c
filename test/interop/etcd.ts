import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { freePorts } from '../../scripts/kit/free-ports.ts';
import { FabricChannelCredentials } from '../../src/connector/fabric-channel-credentials.ts';
import { serviceIn } from '../../src/rpc/service.ts';
import type { CredentialDirectory } from '../kit/credential-directory.ts';
import { openStore } from '../kit/open-store.ts';
import { until } from '../kit/until.ts';
import { findEtcd } from './etcd-binary.ts';

// An etcd of one node as a process of its own, over mutual TLS, and what an operator does with it by etcdctl.
const DEADLINE_MS = 60_000;

export interface EtcdProcessOptions {
  /** Of the server: its certificate and key, and the CA of clients. Undefined: plaintext. */
  readonly credentials?: Pick<CredentialDirectory, 'path'>;
  /** Default: free ones. */
  readonly port?: number;
}

/** A permission of a role: a key, or all keys that begin with one. */
export interface EtcdPermission {
  readonly key: string;
  readonly isPrefix?: boolean;
  readonly access: 'READ' | 'WRITE' | 'READWRITE';
}

const definitions = loadSync(fileURLToPath(new URL('../kit/etcd-admin.proto', import.meta.url)), {
  longs: String,
  enums: String,
});
const auth = serviceIn(definitions, 'etcdserverpb.Auth');
const kv = serviceIn(definitions, 'etcdserverpb.KV');

/** What the user of a node needs, and no more. */
export function nodePermissions(prefix: string, nodeName: string): readonly EtcdPermission[] {
  return [
    { key: prefix, isPrefix: true, access: 'READ' },
    { key: `${prefix}nodes/${nodeName}`, access: 'READWRITE' },
    { key: `${prefix}holders/${nodeName}`, access: 'READWRITE' },
  ];
}

/** A channel to an etcd of loopback as the user that the certificate names; closed after the test. */
export async function etcdChannel(
  t: TestContext,
  port: number,
  credentials: Pick<CredentialDirectory, 'spec'>,
): Promise<grpc.Channel> {
  const { snapshot } = await openStore(t, credentials);
  const channel = new grpc.Channel(
    `127.0.0.1:${port}`,
    new FabricChannelCredentials({
      security: { kind: 'mutual_tls', trust: snapshot, minVersion: 'TLSv1.3', expectation: { kind: 'host' } },
      timeoutMs: 20_000,
    }),
    { 'grpc.use_local_subchannel_pool': 1 },
  );
  t.after(() => channel.close());
  return channel;
}

/** Starts an etcd whose data lies in `directory`; waits until it serves. */
export async function startEtcd(directory: string, options: EtcdProcessOptions = {}): Promise<EtcdProcess> {
  const [port = 0, peerPort = 0] = await freePorts(2);
  const etcd = new EtcdProcess(directory, options.port ?? port, peerPort, options.credentials);
  await etcd.start();
  return etcd;
}

/** Starts the servers of one etcd cluster, each with its data below `directory`; waits until all serve. */
export async function startEtcdCluster(
  directory: string,
  count: number,
  { credentials }: Pick<EtcdProcessOptions, 'credentials'> = {},
): Promise<readonly EtcdProcess[]> {
  const ports = await freePorts(2 * count);
  const peerPorts = ports.slice(count);
  const servers = peerPorts.map(
    (peerPort, index) =>
      new EtcdProcess(join(directory, `m${index}`), ports[index] ?? 0, peerPort, credentials, peerPorts),
  );
  await Promise.all(servers.map(server => server.start()));
  return servers;
}

export class EtcdProcess {
  port: number;
  readonly #directory: string;
  readonly #peerPort: number;
  readonly #credentials: EtcdProcessOptions['credentials'];
  readonly #peerPorts: readonly number[];
  #process: ChildProcess | undefined;

  /** @param peerPorts of all servers of the cluster. */
  constructor(
    directory: string,
    port: number,
    peerPort: number,
    credentials: EtcdProcessOptions['credentials'],
    peerPorts: readonly number[] = [peerPort],
  ) {
    this.#peerPorts = peerPorts;
    this.#directory = directory;
    this.port = port;
    this.#peerPort = peerPort;
    this.#credentials = credentials;
  }

  get endpoint(): string {
    return `${this.#credentials === undefined ? 'http' : 'https'}://127.0.0.1:${this.port}`;
  }

  /** On the data of before, and on the same port unless another is given. */
  async start(port: number = this.port): Promise<void> {
    this.port = port;
    await mkdir(this.#directory, { recursive: true });
    const peerAt = (peerPort: number) => `http://127.0.0.1:${peerPort}`;
    const peer = peerAt(this.#peerPort);
    const all = this.#peerPorts.map((peerPort, index) => `m${index}=${peerAt(peerPort)}`);
    const tls =
      this.#credentials === undefined
        ? []
        : [
            '--client-cert-auth',
            ...['--trusted-ca-file', this.#credentials.path('ca.pem')],
            ...['--cert-file', this.#credentials.path('node.pem')],
            ...['--key-file', this.#credentials.path('node.key')],
          ];
    const child = spawn(
      (await findEtcd()).command,
      [
        ...['--name', `m${this.#peerPorts.indexOf(this.#peerPort)}`, '--data-dir', join(this.#directory, 'data')],
        ...['--listen-client-urls', this.endpoint, '--advertise-client-urls', this.endpoint],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
        ...['--initial-cluster', all.join(',')],
        ...tls,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#process = child;
    let output = '';
    const write = (data: Buffer) => {
      output += data.toString();
      void appendFile(join(this.#directory, 'etcd.log'), data).catch(() => {});
    };
    child.stdout.on('data', write);
    child.stderr.on('data', write);
    const isServing = () => {
      if (child.exitCode !== null) throw new Error(`etcd ended: ${output.slice(-2_000)}`);
      return /serving (insecure )?client (requests|traffic)/.test(output);
    };
    await until('etcd serves', isServing, DEADLINE_MS);
  }

  /** @param signal SIGKILL: without a word to anybody. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }

  async kill(): Promise<void> {
    await this.stop('SIGKILL');
  }

  /** Its data is lost; it begins anew, under the same name and without users. */
  async wipe(): Promise<void> {
    await this.kill();
    await rm(join(this.#directory, 'data'), { recursive: true });
    await this.start();
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }
}

/** What an operator asks of etcd, as the user that the certificate names. */
export class EtcdAdmin {
  readonly #client: grpc.Client;

  constructor(channel: grpc.ChannelInterface) {
    const options: Record<string, unknown> = { channelOverride: channel };
    this.#client = new grpc.Client(channel.getTarget(), grpc.credentials.createInsecure(), options);
  }

  async addUser(name: string, permissions: readonly EtcdPermission[]): Promise<void> {
    await this.#call(auth, 'UserAdd', { name, options: { noPassword: true } });
    await this.#call(auth, 'RoleAdd', { name });
    for (const { key, isPrefix = false, access } of permissions) {
      const rangeEnd = isPrefix ? { rangeEnd: Buffer.from(key.replace(/\/$/, '0')) } : {};
      const perm = { permType: access, key: Buffer.from(key), ...rangeEnd };
      await this.#call(auth, 'RoleGrantPermission', { name, perm });
    }
    await this.#call(auth, 'UserGrantRole', { user: name, role: name });
  }

  /** Beside what the role of that user has. */
  async grant(
    name: string,
    range: { readonly key: string; readonly end: string; readonly access: string },
  ): Promise<void> {
    const perm = { permType: range.access, key: Buffer.from(range.key), rangeEnd: Buffer.from(range.end) };
    await this.#call(auth, 'RoleGrantPermission', { name, perm });
  }

  /** From now on users count; `root` must be one of them. */
  async enableAuth(): Promise<void> {
    await this.#call(auth, 'UserAdd', { name: 'root', options: { noPassword: true } });
    await this.#call(auth, 'RoleAdd', { name: 'root' });
    await this.#call(auth, 'UserGrantRole', { user: 'root', role: 'root' });
    await this.#call(auth, 'AuthEnable', {});
  }

  async disableAuth(): Promise<void> {
    await this.#call(auth, 'AuthDisable', {});
  }

  async put(key: string, value: object | string): Promise<void> {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    await this.#call(kv, 'Put', { key: Buffer.from(key), value: Buffer.from(text) });
  }

  async putUnder(lease: string, key: string, value: object): Promise<void> {
    await this.#call(kv, 'Put', { key: Buffer.from(key), value: Buffer.from(JSON.stringify(value)), lease });
  }

  /** @param key with a slash at its end: all that begin with it. */
  async delete(key: string): Promise<void> {
    const rangeEnd = key.endsWith('/') ? { rangeEnd: Buffer.from(key.replace(/\/$/, '0')) } : {};
    await this.#call(kv, 'DeleteRange', { key: Buffer.from(key), ...rangeEnd });
  }

  /** Everything before now is forgotten. */
  async compact(revision: number): Promise<void> {
    await this.#call(kv, 'Compact', { revision: String(revision), physical: true });
  }

  #call(service: grpc.ServiceDefinition, method: string, request: object): Promise<unknown> {
    const definition = service[method];
    if (definition === undefined) throw new TypeError(`no method ${method}`);
    const { path, requestSerialize, responseDeserialize } = definition;
    return new Promise((resolve, reject) =>
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        { deadline: Date.now() + DEADLINE_MS },
        (error, response) => (error === null ? resolve(response) : reject(error)),
      ),
    );
  }
}
