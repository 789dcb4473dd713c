// Nodes in optional whose plaintext-deadline passes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import * as http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { type CertStore, initCertStore } from '../../src/dev-pki/cert-store.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import type { FabricNodeOptions, TlsOptions } from '../../src/node/node-options.ts';
import { type NodeStatus, nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { closedPort } from '../cluster/test-cluster.ts';
import { echo, echoDefinition, echoImplementation } from '../kit/echo-service.ts';
import { until } from '../kit/until.ts';

const YEAR_MS = 365 * 24 * 3_600_000;

test('two nodes turn strict after their deadline, with calls running and none failing, and stay so after a restart', async t => {
  const scene = await Scene.make(t);
  const plaintextDeadline = new Date(Date.now() + 1_500);
  await scene.start('node-1', { mode: 'optional', plaintextDeadline });
  const stranger = await scene.plaintextConnection('node-1');
  await scene.start('node-2', { mode: 'optional', plaintextDeadline });
  const load = scene.load('node-1', 'node-2');
  for (const name of ['node-1', 'node-2']) {
    await scene.event(name, 'mode.plaintext_deadline_passed');
    const { mode, advertisedAddresses, notices } = await scene.status(name);
    assert.equal(mode, 'strict');
    assert.deepEqual(
      advertisedAddresses.map(address => new URL(address).protocol),
      ['https:'],
    );
    assert.match(notices.join('\n'), /has passed: this node is strict; write mode = "strict"/);
    assert.match(await scene.metrics(name), /^selvedge_tls_mode\{mode="strict"\} 1$/m);
  }
  await scene.isRefusedInPlaintext('node-2');
  await until('who is no member holds nobody, and has to go', () => stranger.closed);
  const made = load.made;
  await until('calls go on', () => load.made > made + 20);
  assert.deepEqual(await load.end(), []);
  assert.ok(Date.now() > plaintextDeadline.getTime());

  const node = await scene.restart('node-2', { mode: 'optional', plaintextDeadline });
  assert.equal(node.ready.mode, 'strict', 'from its first moment on');
  await scene.isRefusedInPlaintext('node-2');
  assert.equal(scene.count('node-2', 'mode.plaintext_deadline_passed'), 1);

  // A later deadline takes it back, while it runs, and a file that says so is not believed for another one.
  await node.reload(scene.options('node-2', { mode: 'optional', plaintextDeadline: new Date(Date.now() + YEAR_MS) }));
  const back = await scene.status('node-2');
  assert.equal(back.mode, 'optional');
  assert.match(back.notices.join('\n'), /plaintext is refused from .* on/);
  await until('it advertises both', async () => (await scene.status('node-2')).advertisedAddresses.length === 2);
  await until('the state is written', async () => !(await scene.state('node-2')).includes('turnedAfterMs'));
});

test('with a plain member the node stays in optional, says why, and turns when that has moved', async t => {
  const scene = await Scene.make(t);
  await scene.start('node-2', { mode: 'plain' });
  await scene.start('node-1', { mode: 'optional', plaintextDeadline: new Date(Date.now() - 1_000).toISOString() });
  await scene.event('node-1', 'mode.plaintext_deadline_held', line =>
    String(line.obstacles).includes('node-2 is in mode plain and could not reach this node.'),
  );
  const { mode, notices, state } = await scene.status('node-1');
  assert.deepEqual([mode, state], ['optional', 'ready']);
  assert.match(notices.join('\n'), /plaintext-deadline .* has passed, but: node-2 is in mode plain/);
  const client = scene.node('node-1').client(grpc.Client, 'node-2');
  assert.equal(await echo(client, 'still there'), 'still there');
  await scene.node('node-2').reload(scene.options('node-2', { mode: 'optional' }));
  await scene.event('node-1', 'mode.plaintext_deadline_passed');
  assert.equal((await scene.status('node-1')).mode, 'strict');
  assert.equal(await echo(client, 'and now'), 'and now');
});

test('a state that holds nonsense is told, and the deadline judged anew', async t => {
  const scene = await Scene.make(t);
  const tls = { mode: 'optional', plaintextDeadline: new Date(0) } as const;
  await scene.start('node-1', tls);
  await scene.start('node-2', { mode: 'optional' });
  await scene.event('node-1', 'mode.plaintext_deadline_passed');
  await scene.restart('node-1', tls, () =>
    writeFile(scene.path('data-node-1/mode.json'), '{"version":1,"turnedAfterMs":"x"}'),
  );
  await scene.event('node-1', 'mode.state_rejected');
  await until('it has turned again', () => scene.count('node-1', 'mode.plaintext_deadline_passed') === 2);
});

/** Two nodes of this process, each the member of the other. */
class Scene {
  readonly #t: TestContext;
  readonly #directory: string;
  readonly #ports: Readonly<Record<string, number>>;
  readonly #nodes = new Map<string, FabricNode>();
  readonly #metrics = new Map<string, ReturnType<typeof createMetrics>>();
  readonly #lines: { node: string; event: string; [field: string]: unknown }[] = [];

  static async make(t: TestContext): Promise<Scene> {
    const directory = await mkdtemp(join(tmpdir(), 'selvedge-deadline-'));
    t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
    const store: CertStore = await initCertStore(join(directory, 'certs'), { clusterName: 'dev' });
    const ports = { 'node-1': await closedPort(), 'node-2': await closedPort() };
    for (const nodeName of Object.keys(ports)) await store.issueNode({ nodeName, hosts: [], localhost: true });
    const members = Object.entries(ports).map(
      ([name, port]) => `[[member]]\nname = "${name}"\naddress = "127.0.0.1:${port}"\n`,
    );
    await writeFile(join(directory, 'members.toml'), members.join('\n'));
    return new Scene(t, directory, ports);
  }

  private constructor(t: TestContext, directory: string, ports: Readonly<Record<string, number>>) {
    this.#t = t;
    this.#directory = directory;
    this.#ports = ports;
  }

  path(name: string): string {
    return join(this.#directory, name);
  }

  node(name: string): FabricNode {
    const node = this.#nodes.get(name);
    assert.ok(node !== undefined);
    return node;
  }

  options(nodeName: string, tls: TlsOptions): FabricNodeOptions {
    return {
      clusterName: 'dev',
      nodeName,
      dataDir: this.path(`data-${nodeName}`),
      networking: {
        bindAddress: `127.0.0.1:${this.#ports[nodeName]}`,
        reconnectMaxDelayMs: 200,
        tls: {
          certFile: this.path(`certs/${nodeName}.pem`),
          keyFile: this.path(`certs/${nodeName}.key`),
          caFiles: [this.path('certs/ca.pem')],
          allowedSubjectNames: ['uri:spiffe://dev/fabric/*'],
          nodeIdentity: 'uri:spiffe://dev/fabric/{node-name}',
          ...tls,
        },
      },
      membership: { source: 'file', membersFile: this.path('members.toml') },
    };
  }

  async start(name: string, tls: TlsOptions): Promise<FabricNode> {
    const metrics = createMetrics();
    const logger = createLogger({ write: line => this.#lines.push({ node: name, ...JSON.parse(line), of: name }) });
    const services = [{ definition: echoDefinition, implementation: echoImplementation }];
    const node = await FabricNode.start(this.options(name, tls), { logger, metrics, services });
    this.#t.after(() => node.close());
    this.#nodes.set(name, node);
    this.#metrics.set(name, metrics);
    return node;
  }

  async restart(name: string, tls: TlsOptions, meanwhile: () => Promise<void> = async () => {}): Promise<FabricNode> {
    await this.node(name).close();
    await meanwhile();
    return this.start(name, tls);
  }

  count(name: string, event: string): number {
    return this.#lines.filter(line => line.of === name && line.event === event).length;
  }

  async event(
    name: string,
    event: string,
    matches: (line: Readonly<Record<string, unknown>>) => boolean = () => true,
  ): Promise<void> {
    await until(`${event} of ${name}`, () =>
      this.#lines.some(line => line.of === name && line.event === event && matches(line)),
    );
  }

  async status(name: string): Promise<NodeStatus> {
    const client = new grpc.Client(this.node(name).ready.admin, grpc.credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    try {
      return await callUnary(client, nodeControl, 'GetStatus', {}, { timeoutMs: 30_000 });
    } finally {
      client.close();
    }
  }

  async metrics(name: string): Promise<string> {
    return (await this.#metrics.get(name)?.expose()) ?? '';
  }

  state(name: string): Promise<string> {
    return readFile(this.path(`data-${name}/mode.json`), 'utf8');
  }

  /** One that somebody keeps open and makes no call over. */
  async plaintextConnection(name: string): Promise<http2.ClientHttp2Session> {
    const session = http2.connect(`http://127.0.0.1:${this.#ports[name]}`);
    this.#t.after(() => session.destroy());
    session.on('error', () => {});
    await once(session, 'remoteSettings');
    return session;
  }

  async isRefusedInPlaintext(name: string): Promise<void> {
    const client = new grpc.Client(`127.0.0.1:${this.#ports[name]}`, grpc.credentials.createInsecure());
    this.#t.after(() => client.close());
    await assert.rejects(echo(client, 'x', 5_000), /not secure enough/);
  }

  /** Calls without a pause, until the end; then what failed. */
  load(from: string, to: string): { readonly made: number; end(): Promise<readonly string[]> } {
    const client = this.node(from).client(grpc.Client, to);
    const failures: string[] = [];
    let made = 0;
    let isEnding = false;
    const run = async () => {
      while (!isEnding) {
        await echo(client, 'x').catch(error => failures.push(String(error)));
        made += 1;
        await wait(1);
      }
    };
    const running = Promise.all([run(), run(), run()]);
    return {
      get made() {
        return made;
      },
      end: async () => {
        isEnding = true;
        await running;
        return failures;
      },
    };
  }
}
