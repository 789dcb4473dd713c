// Nodes of a cluster that is larger than what each of them watches.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { initCertStore } from '../../src/dev-pki/cert-store.ts';
import { watchedMembers } from '../../src/messaging/watched-members.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import type { FabricNodeOptions, TlsMode } from '../../src/node/node-options.ts';
import { clusterControl, type NodeStatus, nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { closedPort } from '../cluster/test-cluster.ts';
import { echo, echoDefinition, echoImplementation, whoAmI } from '../kit/echo-service.ts';
import { until } from '../kit/until.ts';

const NAMES: readonly string[] = ['node-1', 'node-2', 'node-3', 'node-4'];
const LIMIT = 1;
const [first = ''] = NAMES;
const watches = (one: string, other: string) => watchedMembers(one, NAMES, LIMIT).has(other);
const UNWATCHED = NAMES.find(name => name !== first && !watches(first, name) && !watches(name, first)) ?? '';

test('plain, optional, strict: everybody is watched on the way, few at both ends, and calls go to all', async t => {
  const scene = await Scene.make(t);
  for (const name of NAMES) await scene.start(name, 'plain');
  await scene.hasStreamsOfRing();
  const client = scene.node(first).client(grpc.Client, UNWATCHED);
  await until('who is called has a stream', async () => {
    assert.equal(await echo(client, ''), UNWATCHED);
    return (await scene.peer(first, UNWATCHED))?.state === 'connected';
  });

  for (const name of NAMES) await scene.turn(name, 'optional');
  for (const name of NAMES)
    await until(`nobody stands in the way of ${name}`, async () => {
      const request = { to: 'strict' };
      return (await callUnary(scene.admin(name), clusterControl, 'Preflight', request, { timeoutMs: 30_000 })).ready;
    });
  for (const name of NAMES)
    assert.deepEqual(
      (await scene.status(name)).peers.map(({ state, security }) => `${state} ${security}`),
      ['connected mutual_tls', 'connected mutual_tls', 'connected mutual_tls'],
    );

  for (const name of NAMES) await scene.turn(name, 'strict');
  await scene.hasStreamsOfRing();
  assert.equal((await whoAmI(client)).security, 'mutual_tls');
});

test('a strict node that was just started reaches a member it never had a stream to, and picks idle ones by label', async t => {
  const scene = await Scene.make(t);
  for (const name of NAMES) await scene.start(name, 'strict');
  await scene.hasStreamsOfRing();
  const status = await scene.status(first);
  assert.deepEqual([status.state, status.peersConnected, status.problems], ['ready', 'all', []]);
  const idle = status.peers.find(({ nodeName }) => nodeName === UNWATCHED);
  assert.deepEqual([idle?.state, idle?.generation, idle?.labels], ['idle', 0, { of: 'file' }]);

  const any = scene.node(first).client(grpc.Client, { labels: { of: 'file' } });
  const answered = new Set<string>();
  await until('each of them has answered', async () => answered.add(await echo(any, '')).size === NAMES.length - 1);
  await scene.hasStreamsOfRing();
  const { generation } = scene.node(UNWATCHED).ready;
  assert.equal((await scene.peer(first, UNWATCHED))?.generation, generation, 'the call has brought a stream');
});

class Scene {
  readonly #t: TestContext;
  readonly #directory: string;
  readonly #ports: Readonly<Record<string, number>>;
  readonly #nodes = new Map<string, FabricNode>();

  static async make(t: TestContext): Promise<Scene> {
    const directory = await mkdtemp(join(tmpdir(), 'selvedge-watched-'));
    t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
    const store = await initCertStore(join(directory, 'certs'), { clusterName: 'dev' });
    const ports: Record<string, number> = {};
    for (const name of NAMES) {
      await store.issueNode({ nodeName: name, hosts: [], localhost: true });
      ports[name] = await closedPort();
    }
    const entries = NAMES.map(
      name => `[[member]]\nname = "${name}"\naddress = "127.0.0.1:${ports[name]}"\nlabels = { of = "file" }\n`,
    );
    await writeFile(join(directory, 'members.toml'), entries.join('\n'));
    return new Scene(t, directory, ports);
  }

  private constructor(t: TestContext, directory: string, ports: Readonly<Record<string, number>>) {
    this.#t = t;
    this.#directory = directory;
    this.#ports = ports;
  }

  async start(name: string, mode: TlsMode): Promise<void> {
    const sayName = (_call: unknown, reply: grpc.sendUnaryData<Buffer>) => reply(null, Buffer.from(name));
    const node = await FabricNode.start(this.#options(name, mode), {
      logger: createLogger({ write: () => {} }),
      services: [{ definition: echoDefinition, implementation: { ...echoImplementation, Echo: sayName } }],
    });
    this.#t.after(() => node.close());
    this.#nodes.set(name, node);
  }

  async turn(name: string, mode: TlsMode): Promise<void> {
    await this.node(name).reload(this.#options(name, mode));
  }

  node(name: string): FabricNode {
    return this.#nodes.get(name) ?? assert.fail(`no ${name}`);
  }

  admin(name: string): grpc.Client {
    const client = new grpc.Client(this.node(name).ready.admin, grpc.credentials.createInsecure());
    this.#t.after(() => client.close());
    return client;
  }

  status(name: string): Promise<NodeStatus> {
    return callUnary(this.admin(name), nodeControl, 'GetStatus', {}, { timeoutMs: 30_000 });
  }

  async peer(name: string, other: string): Promise<NodeStatus['peers'][number] | undefined> {
    return (await this.status(name)).peers.find(({ nodeName }) => nodeName === other);
  }

  /** Each is connected to those it watches and those that watch it; the others are idle. */
  async hasStreamsOfRing(): Promise<void> {
    for (const name of NAMES)
      await until(`${name} has the streams of the ring`, async () =>
        (await this.status(name)).peers.every(
          ({ nodeName, state }) =>
            state === (watches(name, nodeName) || watches(nodeName, name) ? 'connected' : 'idle'),
        ),
      );
  }

  #options(nodeName: string, mode: TlsMode): FabricNodeOptions {
    const path = (file: string) => join(this.#directory, file);
    return {
      clusterName: 'dev',
      nodeName,
      dataDir: path(`data-${nodeName}`),
      networking: {
        bindAddress: `127.0.0.1:${this.#ports[nodeName]}`,
        watchedMembers: LIMIT,
        idleTimeoutMs: 1_000,
        heartbeatIntervalMs: 100,
        reconnectMaxDelayMs: 200,
        tls: {
          mode,
          certFile: path(`certs/${nodeName}.pem`),
          keyFile: path(`certs/${nodeName}.key`),
          caFiles: [path('certs/ca.pem')],
          allowedSubjectNames: ['uri:spiffe://dev/fabric/*'],
          nodeIdentity: 'uri:spiffe://dev/fabric/{node-name}',
        },
      },
      membership: { source: 'file', membersFile: path('members.toml') },
    };
  }
}
