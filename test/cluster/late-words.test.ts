// Peers that begin a peer stream while they are trusted, and say the first word of it when they no longer are.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { connectMethod, type Frame, fabricDefinition } from '../../src/messaging/frame.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import type { FabricNodeOptions } from '../../src/node/node-options.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { introductionOf } from '../kit/raw-peer.ts';
import { until } from '../kit/until.ts';
import { askLocally, fabricPort, type NodeConfig, TestCluster } from './test-cluster.ts';

const GRACE_MS = 60_000;
const INTRODUCTION = introductionOf('node-2', { clusterName: 'dev', mode: 'strict', generation: Date.now() });

interface Scene {
  readonly node: FabricNode;
  readonly pem: { readonly ca: Buffer; readonly key: Buffer; readonly cert: Buffer };
  readonly events: readonly string[];
  /** From now on node-2 is denied; resolves when its connection is withdrawn. */
  deny(): Promise<void>;
}

async function withPem(t: TestContext): Promise<readonly [TestCluster, Scene['pem']]> {
  const cluster = await TestCluster.make(t);
  await cluster.issue('node-2');
  const file = (name: string) => readFile(cluster.path('certs', name));
  return [cluster, { ca: await file('ca.pem'), key: await file('node-2.key'), cert: await file('node-2.pem') }];
}

async function begin(
  t: TestContext,
  cluster: TestCluster,
  pem: Scene['pem'],
  members: NodeConfig['members'],
): Promise<Scene> {
  const options = await cluster.nodeOptions('node-1', 'strict', members);
  const denying = (deniedCertificates: string[]): FabricNodeOptions => {
    const { membership, networking, ...rest } = options;
    const tls = networking?.tls;
    assert.ok(tls !== undefined);
    return {
      ...rest,
      ...(members === undefined ? {} : { membership }),
      networking: { ...networking, tls: { ...tls, withdrawalGraceMs: GRACE_MS, deniedCertificates } },
    };
  };
  const events: string[] = [];
  const logger = createLogger({ level: 'debug', write: line => events.push(JSON.parse(line).event) });
  const node = await FabricNode.start(denying([]), { logger });
  t.after(() => node.close());
  const deny = async () => {
    await node.reload(denying(['uri:spiffe://dev/fabric/node-2']));
    await until('its connection is withdrawn', () => events.includes('connection.withdrawn'));
  };
  return { node, pem, events, deny };
}

function assertNeverConnected({ events }: Scene): void {
  for (const event of ['peer.connected', 'membership.changed']) assert.ok(!events.includes(event), event);
}

test('a peer that says Hello when it is denied is refused with the reason, although its call came before', async t => {
  const [cluster, pem] = await withPem(t);
  const scene = await begin(t, cluster, pem, undefined);
  const credentials = grpc.credentials.createSsl(pem.ca, pem.key, pem.cert);
  const client = new grpc.Client(`127.0.0.1:${fabricPort(scene.node)}`, credentials);
  t.after(() => client.close());
  const { path, requestSerialize, responseDeserialize } = connectMethod;
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new grpc.Metadata());
  const frames: Frame[] = [];
  let status: grpc.StatusObject | undefined;
  call.on('data', (frame: Frame) => frames.push(frame));
  call.on('error', () => {});
  call.on('status', (seen: grpc.StatusObject) => {
    status = seen;
  });
  await until('the call is there', async () => {
    const { connections } = await askLocally(scene.node, 'ListConnections');
    return connections.some(each => each.security === 'mutual_tls' && each.activeCalls === 1);
  });
  await scene.deny();
  call.write({ hello: { introduction: INTRODUCTION, protocolMin: 1, protocolMax: 2 } });
  await until('it is refused', () => status !== undefined);
  assert.deepEqual(status?.metadata.get('selvedge-reason'), ['certificate_revoked']);
  assert.deepEqual(frames, []);
  assertNeverConnected(scene);
});

test('a server that answers with its Welcome when it is denied is told why, and nothing it says is believed', async t => {
  const [cluster, pem] = await withPem(t);
  const server = new grpc.Server();
  let held: grpc.ServerDuplexStream<Frame, Frame> | undefined;
  const goodbyes: (string | undefined)[] = [];
  const connect = (call: grpc.ServerDuplexStream<Frame, Frame>) => {
    call.on('data', (frame: Frame) => {
      if (frame.body === 'hello') held ??= call;
      else if (frame.body === 'goodbye') goodbyes.push(frame.goodbye?.reason);
    });
    call.on('error', () => {});
    call.on('end', () => call.end());
  };
  server.addService(fabricDefinition, { Connect: connect });
  const pair = { cert_chain: pem.cert, private_key: pem.key };
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createSsl(pem.ca, [pair], true), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  t.after(() => server.forceShutdown());
  const scene = await begin(t, cluster, pem, [['node-2', `https://127.0.0.1:${port}`]]);
  await until('it is dialled', () => held !== undefined);
  await scene.deny();
  const introduction = { ...INTRODUCTION, advertisedAddresses: [`https://127.0.0.1:${port + 1}`] };
  held?.write({ welcome: { introduction, protocol: 2 } });
  await until('it is told', () => goodbyes.length > 0);
  assert.deepEqual(goodbyes, ['certificate_revoked']);
  assertNeverConnected(scene);
});
