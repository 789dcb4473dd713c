import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import type { Daemon } from '../../scripts/kit/daemon.ts';
import { BUILT_IN_RULES, isChanging } from '../../src/authorization/method-rules.ts';
import type { AuditRecord } from '../../src/index.ts';
import { connectMethod, type Frame, fabricDefinition } from '../../src/messaging/frame.ts';
import { clusterControl, nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { refusalReasonOf } from '../../src/rpc/status.ts';
import { bareClient } from '../kit/bare-grpc.ts';
import { helloOf } from '../kit/raw-peer.ts';
import { until } from '../kit/until.ts';
import { askLocally, closedPort, fabricPort, peerOnce, refusal, TestCluster } from './test-cluster.ts';

const THIEF = 'spiffe://dev/fabric/node-3';
const DEV = { clusterName: 'dev', advertisedAddresses: ['https://127.0.0.1:5122'], mode: 'strict' };

test('the stolen certificate of node-3 is node-3 and nobody else, at every door', async t => {
  const cluster = await TestCluster.make(t);
  await cluster.issue('node-3');
  const server = await thiefServer(t, cluster);
  const closed = await closedPort();
  const members = (at2: string) =>
    [
      ['node-1', '127.0.0.1:1'],
      ['node-2', at2],
      ['node-3', `127.0.0.2:${closed}`],
    ] as const;
  const daemon = await cluster.start('node-1', {
    members: members(`127.0.0.2:${closed}`),
    top: { audit: { file: 'audit.jsonl' }, observability: { 'bind-address': '127.0.0.1:0' } },
  });
  const trail = () => recordsIn(cluster.path('audit.jsonl'));
  const metrics = async () => (await fetch(`${daemon.ready.observability}/metrics`)).text();
  const thief = await clientAs(t, cluster, daemon, 'node-3');

  await t.test('a Hello as node-2, or as the node that it talks to', async () => {
    for (const name of ['node-2', 'node-1']) {
      const status = await sayHello(thief, name, Date.now() + 60_000);
      assert.equal(status.code, grpc.status.FAILED_PRECONDITION);
      assert.equal(refusalReasonOf(status), 'node_identity_mismatch');
      assert.doesNotMatch(status.details, /spiffe|\d{4}/, 'it is not told what would be right');
      const line = await refusal(daemon, 'node_identity_mismatch', { direction: 'inbound', node: name });
      assert.equal(line.subject, 'CN=node-3');
      const record = await recorded(trail, each => each.kind === 'connection' && each.claimed_node === name);
      assert.ok(record.kind === 'connection');
      assert.deepEqual(
        [record.principal, record.reason, record.direction, record.authorized],
        [THIEF, 'node_identity_mismatch', 'inbound', false],
      );
      assert.equal(record.certificate_fingerprint, line.fingerprint);
    }
    assert.match(await metrics(), /refused_total\{reason="node_identity_mismatch"\} 2$/m);
  });

  await t.test('an answer at the address of node-2', async () => {
    await cluster.writeMembers('node-1', members(`127.0.0.1:${server.port}`));
    const line = await refusal(daemon, 'server_identity_mismatch', { direction: 'outbound', node: 'node-2' });
    assert.deepEqual([line.by, line.subject], ['us', 'CN=node-3']);
    await peerOnce(daemon, 'node-2', peer => peer.reason === 'server_identity_mismatch');
    const record = await recorded(trail, each => each.kind === 'connection' && each.direction === 'outbound');
    assert.ok(record.kind === 'connection');
    assert.deepEqual(
      [record.principal, record.reason, record.claimed_node, record.remote_address],
      [THIEF, 'server_identity_mismatch', 'node-2', `https://127.0.0.1:${server.port}`],
    );
    assert.equal(server.calls, 0, 'no call reached it');
    assert.match(await metrics(), /refused_total\{reason="server_identity_mismatch"\} [1-9]/);
    await cluster.writeMembers('node-1', members(`127.0.0.2:${closed}`));
  });

  await t.test('every method that changes something', async () => {
    const changing = [...BUILT_IN_RULES.keys()].map(name => `/${name}`).filter(isChanging);
    assert.ok(changing.length >= 2);
    for (const path of changing) {
      const { code, details } = await callRaw(thief, path);
      assert.deepEqual([code, details], [grpc.status.PERMISSION_DENIED, 'permission denied'], path);
      const record = await recorded(trail, each => each.kind === 'call' && each.rpc_method === path);
      assert.ok(record.kind === 'call');
      assert.deepEqual(
        [record.principal, record.authorized, record.policy_name, record.roles],
        [THIEF, false, 'built-in', ['peer']],
      );
    }
    assert.match(await metrics(), /decisions_total\{service="[^"]*NodeControl",decision="deny"\} [2-9]/);
  });

  await t.test('what observers see', async () => {
    const answers = [
      await callUnary(thief, nodeControl, 'GetStatus', {}),
      await callUnary(thief, nodeControl, 'ListConnections', {}),
      await callUnary(thief, clusterControl, 'ListNodes', {}),
      await callUnary(thief, clusterControl, 'GetClusterStatus', {}),
    ];
    for (const answer of answers) {
      assert.equal(answer.addressesRedacted, true);
      assert.doesNotMatch(JSON.stringify(answer), /127\.0\.0\.|spiffe:|CN=|node-2/);
    }
  });

  await t.test('the question whether the certificate of node-2 would be admitted', async () => {
    await cluster.issue('node-2');
    const pem = readFileSync(cluster.path('certs', 'node-2.pem'), 'utf8');
    const leafDer = Buffer.from(pem.split('-----')[2]?.replaceAll('\n', '') ?? '', 'base64');
    const stream = openStream(thief);
    stream.call.write(helloOf('node-3', { ...DEV, generation: Date.now() }, 2));
    await until('it is welcome as itself', () => stream.frames.some(({ body }) => body === 'welcome'));
    const question = { id: 1, chain: [leafDer], usages: ['client', 'server'] };
    stream.call.write({ admissionQuestion: question } as unknown as Frame);
    await until('the answer', () => stream.frames.some(({ body }) => body === 'admissionAnswer'));
    const answer = JSON.stringify(stream.frames.find(({ body }) => body === 'admissionAnswer'));
    assert.match(answer, /node_identity_mismatch/);

    // To turn into another node in the middle ends the stream.
    const advertisement = { introduction: helloOf('node-2', { ...DEV, generation: 1 }).hello?.introduction };
    stream.call.write({ advertisement } as unknown as Frame);
    await until('its end', () => stream.status !== undefined);
  });

  await t.test('and node-2 itself comes in, whatever generation was claimed for it', async () => {
    const node2 = await cluster.start('node-2', { members: [['node-1', `127.0.0.1:${fabricPort(daemon)}`]] });
    await peerOnce(daemon, 'node-2', ({ state, security }) => state === 'connected' && security === 'mutual_tls');
    const before = await askLocally(daemon, 'GetStatus');
    const status = await sayHello(thief, 'node-2', Date.now() + 200_000);
    assert.equal(refusalReasonOf(status), 'node_identity_mismatch');
    const peerOf = ({ peers }: typeof before) => peers.find(({ nodeName }) => nodeName === 'node-2');
    const after = peerOf(await askLocally(daemon, 'GetStatus'));
    assert.deepEqual([after?.state, after?.generation], ['connected', node2.ready.generation]);
    assert.equal(after?.sinceMs, peerOf(before)?.sinceMs, 'its stream is the same');
  });
});

test('in the mode optional nobody in plaintext takes the place of a member that has proven itself', async t => {
  const cluster = await TestCluster.make(t);
  const nowhere = `127.0.0.2:${await closedPort()}`;
  const daemon = await cluster.start('node-1', { mode: 'optional', members: [['node-2', nowhere]] });
  const config = { mode: 'optional', members: [['node-1', `127.0.0.1:${fabricPort(daemon)}`]] } as const;
  const node2 = await cluster.start('node-2', config);
  await peerOnce(daemon, 'node-2', ({ state, security }) => state === 'connected' && security === 'mutual_tls');
  const plain = bareClient(t, fabricPort(daemon), grpc.credentials.createInsecure());
  const stream = openStream(plain);
  stream.call.write(helloOf('node-2', { ...DEV, mode: 'optional', generation: Date.now() + 200_000 }, 2));
  await until('its end', () => stream.status !== undefined || stream.frames.length > 0);
  assert.deepEqual(
    stream.frames.map(({ body }) => body),
    ['goodbye'],
  );
  const { peers } = await askLocally(daemon, 'GetStatus');
  const [peer] = peers.filter(({ nodeName }) => nodeName === 'node-2');
  assert.deepEqual(
    [peer?.state, peer?.security, peer?.generation],
    ['connected', 'mutual_tls', node2.ready.generation],
  );
  assert.ok(
    peer?.addresses.every(address => !address.includes('5122')),
    'nothing that it said was learned',
  );
});

async function clientAs(t: TestContext, cluster: TestCluster, daemon: Daemon, name: string): Promise<grpc.Client> {
  const [ca, key, cert] = ['ca.pem', `${name}.key`, `${name}.pem`].map(file =>
    readFileSync(cluster.path('certs', file)),
  );
  const credentials = grpc.credentials.createSsl(ca, key, cert);
  return bareClient(t, fabricPort(daemon), credentials, { 'grpc.ssl_target_name_override': 'localhost' });
}

/** A fabric server of somebody else with the certificate of node-3, which says that it is node-2. */
async function thiefServer(t: TestContext, cluster: TestCluster): Promise<{ port: number; calls: number }> {
  const thief = { port: 0, calls: 0 };
  const server = new grpc.Server();
  server.addService(fabricDefinition, {
    Connect: (call: grpc.ServerDuplexStream<Frame, Frame>) => {
      thief.calls += 1;
      call.on('error', () => {});
      const { hello } = helloOf('node-2', { ...DEV, generation: Date.now() });
      call.write({ welcome: { introduction: hello?.introduction, protocol: 1 } } as unknown as Frame);
    },
  });
  const [ca = null, key, cert] = ['ca.pem', 'node-3.key', 'node-3.pem'].map(file =>
    readFileSync(cluster.path('certs', file)),
  );
  if (key === undefined || cert === undefined) throw new TypeError('unreachable');
  const credentials = grpc.ServerCredentials.createSsl(ca, [{ private_key: key, cert_chain: cert }], true);
  thief.port = await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
  });
  t.after(() => server.forceShutdown());
  return thief;
}

interface OpenStream {
  readonly call: grpc.ClientDuplexStream<Frame, Frame>;
  readonly frames: Frame[];
  status: grpc.StatusObject | undefined;
}

function openStream(client: grpc.Client): OpenStream {
  const { path, requestSerialize, responseDeserialize } = connectMethod;
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new grpc.Metadata());
  const stream: OpenStream = { call, frames: [], status: undefined };
  call.on('data', (frame: Frame) => stream.frames.push(frame));
  call.on('error', () => {});
  call.on('status', status => {
    stream.status = status;
  });
  return stream;
}

async function sayHello(client: grpc.Client, name: string, generation: number): Promise<grpc.StatusObject> {
  const stream = openStream(client);
  stream.call.write(helloOf(name, { ...DEV, generation }, 2));
  await until('it is refused', () => stream.status !== undefined);
  assert.deepEqual(stream.frames, []);
  return stream.status ?? assert.fail();
}

function callRaw(client: grpc.Client, path: string): Promise<grpc.ServiceError> {
  const same = (value: Buffer) => value;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, same, same, Buffer.alloc(0), { deadline: Date.now() + 20_000 }, error =>
      error === null ? reject(new Error(`${path} was allowed`)) : resolve(error),
    );
  });
}

async function recordsIn(file: string): Promise<readonly AuditRecord[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  return lines.slice(0, -1).map(line => JSON.parse(line));
}

async function recorded(
  trail: () => Promise<readonly AuditRecord[]>,
  matches: (record: AuditRecord) => boolean,
): Promise<AuditRecord> {
  let found: AuditRecord | undefined;
  await until('the record', async () => {
    found = (await trail()).find(matches);
    return found !== undefined;
  });
  return found ?? assert.fail();
}
