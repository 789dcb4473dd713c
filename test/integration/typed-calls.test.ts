// Unary calls between real nodes, over their peer stream.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { initCertStore } from '../../src/dev-pki/cert-store.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import { callerOf } from '../../src/rpc/caller.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { closedPort } from '../cluster/test-cluster.ts';
import { echoDefinition } from '../kit/echo-service.ts';
import { until } from '../kit/until.ts';

const NAMES = ['node-1', 'node-2'] as const;

test('unary calls go over the peer stream of two nodes, with the identity, the rules and the counts of any call', async t => {
  const scene = await Scene.start(t);
  const node = (name: string) => scene.node(name);
  const metrics = (name: string) => scene.metrics(name);
  const byName = node('node-1').client(grpc.Client, 'node-2');
  const byLabel = node('node-1').client(grpc.Client, { labels: { of: 'file' } });
  for (const client of [byName, byLabel])
    await until('a call goes over the stream', async () => (await ask(client)).way === 'stream');
  // And so both ways round: of the two nodes one has dialled.
  const back = node('node-2').client(grpc.Client, 'node-1');
  await until('a call back goes over the stream', async () => (await ask(back)).way === 'stream');

  assert.deepEqual(await ask(byName), {
    way: 'stream',
    uris: ['spiffe://dev/fabric/node-1'],
    roles: ['peer'],
    security: 'mutual_tls',
    length: 2,
  });
  const large = await ask(byName, Buffer.alloc(300_000));
  assert.deepEqual([large.way, large.length, large.uris], ['ordinary', 300_000, ['spiffe://dev/fabric/node-1']]);

  const [ofClient, ofServer] = [metrics('node-1').clientCalls, metrics('node-2').serverCalls];
  const { path } = echoDefinition.Echo;
  const counts = () => [ofClient.of(path).durations.get('OK')?.count, ofServer.of(path).allowed];
  const before = counts();
  await Promise.all(Array.from({ length: 20 }, () => ask(byName)));
  assert.deepEqual(
    counts(),
    before.map(count => (count ?? 0) + 20),
  );

  await assert.rejects(ask(node('node-1').client(grpc.Client, 'node-1')), /UNAVAILABLE.*node-1 is this node itself/);
  byName.close();
  await assert.rejects(ask(byName), { code: grpc.status.UNAVAILABLE, details: 'the connection to node-2 is closed' });
});

test('a call that runs when the other node goes away ends with UNAVAILABLE, and is not made again', async t => {
  const scene = await Scene.start(t);
  const client = scene.node('node-1').client(grpc.Client, 'node-2');
  await until('a call goes over the stream', async () => (await ask(client)).way === 'stream');
  const before = scene.waiting.length;
  const failed = assert.rejects(ask(client, Buffer.from('wait')), { code: grpc.status.UNAVAILABLE });
  await until('the handler runs', () => scene.waiting.length > before);
  await scene.node('node-2').close();
  await failed;
  assert.equal(scene.waiting.length, before + 1);
});

interface Answer {
  readonly way: 'stream' | 'ordinary';
  readonly uris: readonly string[];
  readonly roles: readonly string[];
  readonly security: string;
  readonly length: number;
}

function ask(client: grpc.Client, request: Buffer = Buffer.from('hi')): Promise<Answer> {
  const { path, requestSerialize, responseDeserialize } = echoDefinition.Echo;
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + 30_000 };
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, (error, reply) => {
      if (error !== null) reject(error);
      else resolve(JSON.parse(String(reply)));
    });
  });
}

/** Two strict nodes that serve the same. */
class Scene {
  /** Calls that are not answered. */
  readonly waiting: Buffer[] = [];
  readonly #nodes = new Map<string, { readonly node: FabricNode; readonly metrics: Metrics }>();

  static async start(t: TestContext): Promise<Scene> {
    const directory = await mkdtemp(join(tmpdir(), 'selvedge-typed-'));
    t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
    const store = await initCertStore(join(directory, 'certs'), { clusterName: 'dev' });
    const ports = [await closedPort(), await closedPort()];
    for (const nodeName of NAMES) await store.issueNode({ nodeName, hosts: [], localhost: true });
    const members = NAMES.map(
      (name, at) => `[[member]]\nname = "${name}"\naddress = "127.0.0.1:${ports[at]}"\nlabels = { of = "file" }\n`,
    );
    await writeFile(join(directory, 'members.toml'), members.join('\n'));
    const scene = new Scene();
    for (const [at, nodeName] of NAMES.entries()) await scene.#start(t, directory, nodeName, ports[at] ?? 0);
    return scene;
  }

  node(name: string): FabricNode {
    return this.#nodes.get(name)?.node ?? assert.fail(`no ${name}`);
  }

  metrics(name: string): Metrics {
    return this.#nodes.get(name)?.metrics ?? assert.fail(`no ${name}`);
  }

  async #start(t: TestContext, directory: string, nodeName: string, port: number): Promise<void> {
    const path = (file: string) => join(directory, file);
    const metrics = createMetrics();
    const { Echo } = echoDefinition;
    const node = await FabricNode.start(
      {
        clusterName: 'dev',
        nodeName,
        dataDir: path(`data-${nodeName}`),
        networking: {
          bindAddress: `127.0.0.1:${port}`,
          tls: {
            mode: 'strict',
            certFile: path(`certs/${nodeName}.pem`),
            keyFile: path(`certs/${nodeName}.key`),
            caFiles: [path('certs/ca.pem')],
            allowedSubjectNames: ['uri:spiffe://dev/fabric/*'],
            nodeIdentity: 'uri:spiffe://dev/fabric/{node-name}',
          },
        },
        membership: { source: 'file', membersFile: path('members.toml') },
      },
      {
        logger: createLogger({ write: () => {} }),
        metrics,
        services: [{ definition: { Echo }, implementation: { Echo: this.#answer } }],
      },
    );
    t.after(() => node.close());
    this.#nodes.set(nodeName, { node, metrics });
  }

  readonly #answer: grpc.handleUnaryCall<Buffer, Buffer> = (call, reply) => {
    if (String(call.request) === 'wait') return void this.waiting.push(call.request);
    const { identity, roles, security } = callerOf(call);
    // Only over HTTP/2 there is a header that says which library the caller uses.
    const answer: Answer = {
      way: call.metadata.get('user-agent').length === 0 ? 'stream' : 'ordinary',
      uris: identity?.uris ?? [],
      roles: [...roles],
      security: security.kind,
      length: call.request.length,
    };
    reply(null, Buffer.from(JSON.stringify(answer)));
  };
}
