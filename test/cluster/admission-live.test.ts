import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import * as net from 'node:net';
import { type TestContext, test } from 'node:test';
import { createSecureContext } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { service as healthService } from 'grpc-health-check';
import { createAuthority } from '../../src/dev-pki/authority.ts';
import type { CertificateRequest } from '../../src/dev-pki/issue.ts';
import { connectMethod } from '../../src/messaging/frame.ts';
import { clusterControl, nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { bareClient, createSslClient } from '../kit/bare-grpc.ts';
import { ReflectionClient } from '../kit/reflection-client.ts';
import { askLocally, fabricPort, type NodeConfig, refusal, TestCluster } from './test-cluster.ts';

const NODE = 'node-1';
const PEER = { commonName: 'node-2', uris: ['spiffe://dev/fabric/node-2'] };
const ADMIN = { commonName: 'alice', uris: ['spiffe://dev/admin/alice'], usage: 'client' } as const;
const OBSERVER = { commonName: 'grafana', uris: ['spiffe://dev/observer/grafana'], usage: 'client' } as const;
const REVOKED = '5566778899aabbccddeeff0011223344';
const { PERMISSION_DENIED, UNAVAILABLE, OK } = grpc.status;

test('who is admitted to a strict daemon, as what, and who never reaches a handler', async t => {
  const cluster = await TestCluster.make(t);
  const { authority } = cluster.store;
  await writeFile(cluster.path('certs', 'ca.crl'), await authority.createCrl([{ serialNumber: REVOKED }]));
  const config: NodeConfig = {
    tls: { 'crl-file': 'certs/ca.crl' },
    top: {
      authorization: {
        'admin-subject-names': ['uri:spiffe://dev/admin/*', 'dns:ops.example'],
        'observer-subject-names': ['uri:spiffe://dev/observer/*'],
      },
      observability: { 'bind-address': '127.0.0.1:0' },
    },
  };
  const daemon = await cluster.start(NODE, config);
  const port = fabricPort(daemon);
  const metrics = async () => (await fetch(`${daemon.ready.observability}/metrics`)).text();
  const plaintextRefused = async () => Number(/reason="plaintext_refused"\} (\d+)/.exec(await metrics())?.[1]);
  const clientOf = (request: CertificateRequest | undefined, issuer = authority) =>
    createSslClient(t, port, authority.anchorsPem, issuer, request);

  const hour = 3_600_000;
  const refused: readonly {
    readonly reason: string;
    readonly client: () => Promise<grpc.Client> | grpc.Client;
    /** Default: that of a peer. Empty: there is none. */
    readonly subject?: string;
    readonly code?: grpc.status;
  }[] = [
    { reason: 'no_certificate', client: () => clientOf(undefined), subject: '' },
    { reason: 'unknown_ca', client: async () => clientOf(PEER, await createAuthority()) },
    { reason: 'certificate_expired', client: () => clientOf({ ...PEER, notAfter: new Date(Date.now() - hour) }) },
    {
      reason: 'certificate_not_yet_valid',
      client: () => clientOf({ ...PEER, notBefore: new Date(Date.now() + hour) }),
    },
    { reason: 'certificate_revoked', client: () => clientOf({ ...PEER, serialNumber: REVOKED }) },
    { reason: 'wrong_key_usage', client: () => clientOf({ ...PEER, usage: 'server' }) },
    {
      reason: 'subject_not_allowed',
      client: () => clientOf({ commonName: 'spiffe://dev/fabric/node-2', uris: ['spiffe://dev/fabric/a/b'] }),
      subject: 'CN=spiffe://dev/fabric/node-2',
    },
    // A name of a universal type has no place in a list of alternative names.
    {
      reason: 'malformed_certificate',
      client: () => clientOf({ ...PEER, rawAltNames: [Buffer.from([0x0c, 0x01, 0x78])] }),
      subject: '',
    },
    { reason: 'tls_version', client: () => clientOfTls12(t, port, cluster), subject: '', code: UNAVAILABLE },
    {
      reason: 'plaintext_refused',
      client: () => bareClient(t, port, grpc.credentials.createInsecure()),
      subject: '',
    },
  ];

  await t.test('a connection that is refused gets no call through, and says why in log and metrics', async () => {
    await Promise.all(
      refused.map(async ({ reason, client: connect, subject = 'CN=node-2', code = PERMISSION_DENIED }) => {
        const client = await connect();
        await assert.rejects(callUnary(client, nodeControl, 'Drain', {}, { timeoutMs: 30_000 }), { code }, reason);
        client.close();
        const line = await refusal(daemon, reason, { direction: 'inbound' });
        assert.match(String(line.remote), /^127\.0\.0\.1:\d+$/);
        assert.equal(line.subject ?? '', subject, reason);
        if (subject !== '') assert.match(String(line.fingerprint), /^[0-9a-f]{64}$/);
      }),
    );
    const exposed = await metrics();
    for (const { reason } of refused)
      assert.match(exposed, new RegExp(`^selvedge_connections_refused_total\\{reason="${reason}"\\} [1-9]`, 'm'));
    assert.doesNotMatch(exposed, /grpc_server_call_started_total\{[^}]*Drain/);
    assert.equal((await askLocally(daemon, 'GetStatus')).state, 'ready');
  });

  const [peer, admin, observer] = await Promise.all([clientOf(PEER), clientOf(ADMIN), clientOf(OBSERVER)]);

  await t.test('everybody who is admitted may read; only admin and observer see addresses and names', async () => {
    for (const [client, isRedacted] of [
      [peer, true],
      [admin, false],
      [observer, false],
    ] as const) {
      const status = await callUnary(client, nodeControl, 'GetStatus', {});
      assert.equal(status.addressesRedacted, isRedacted);
      assert.deepEqual(status.advertisedAddresses, isRedacted ? [] : [`https://127.0.0.1:${port}`]);
      const { nodes } = await callUnary(client, clusterControl, 'ListNodes', {});
      assert.deepEqual(
        nodes.map(({ nodeName, addresses }) => [nodeName, addresses.length]),
        [[NODE, isRedacted ? 0 : 1]],
      );
      const tls = await callUnary(client, nodeControl, 'GetTlsState', {});
      assert.equal(tls.credentials.length, isRedacted ? 0 : 1);
    }
  });

  await t.test('each connection holds the roles of its certificate', async () => {
    const both = await clientOf({ ...PEER, commonName: 'both', dnsNames: ['ops.example'] });
    await callUnary(both, nodeControl, 'GetStatus', {});
    const { connections } = await askLocally(daemon, 'ListConnections');
    assert.deepEqual(connections.map(({ subject, roles }) => [subject, roles]).sort(), [
      ['', ['local']],
      ['CN=alice', ['admin']],
      ['CN=both', ['peer', 'admin']],
      ['CN=grafana', ['observer']],
      ['CN=node-2', ['peer']],
    ]);
    both.close();
  });

  await t.test('only admin and the local socket may change anything', async () => {
    for (const client of [peer, observer]) {
      await assert.rejects(callUnary(client, nodeControl, 'ReloadTls', {}), { code: PERMISSION_DENIED });
      await assert.rejects(callUnary(client, nodeControl, 'Drain', {}), { code: PERMISSION_DENIED });
    }
    assert.equal((await callUnary(admin, nodeControl, 'ReloadTls', {})).result, 'unchanged');
    assert.equal((await askLocally(daemon, 'ReloadTls')).result, 'unchanged');
    assert.match(await metrics(), /authorization_decisions_total\{service="[^"]*NodeControl",decision="deny"\} 4/);
  });

  await t.test('the streams of the fabric are for peers alone', async () => {
    for (const client of [admin, observer]) {
      const { path, requestSerialize, responseDeserialize } = connectMethod;
      const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      call.on('error', () => {}).resume();
      const status = await new Promise<grpc.StatusObject>(resolve => call.once('status', resolve));
      assert.equal(status.code, PERMISSION_DENIED);
    }
  });

  await t.test('whoever may connect may ask for health', async () => {
    for (const client of [peer, admin, observer])
      for (const service of ['', nodeControl.name, 'selvedge.fabric.v1.Fabric'])
        assert.deepEqual(await call(client, healthService.Check, { service }), { status: 'SERVING' });
    const { Check } = healthService;
    await assert.rejects(call(peer, Check, { service: 'no.such.Service' }), { code: grpc.status.NOT_FOUND });
  });

  await t.test('a client that knows nothing but reflection can use every service', async () => {
    using reflection = new ReflectionClient(observer);
    const { listServicesResponse } = await reflection.ask({ listServices: '*' });
    const names = listServicesResponse?.service.map(({ name }) => name) ?? [];
    assert.deepEqual(names.toSorted(), [
      'grpc.health.v1.Health',
      'selvedge.control.v1.ClusterControl',
      'selvedge.control.v1.NodeControl',
      'selvedge.fabric.v1.Fabric',
    ]);
    const described = async (symbol: string) => {
      const { fileDescriptorResponse, errorResponse } = await reflection.ask({ fileContainingSymbol: symbol });
      assert.equal(errorResponse, undefined);
      const set = descriptorSet(fileDescriptorResponse?.fileDescriptorProto ?? []);
      const service = loadFileDescriptorSetFromBuffer(set, { longs: Number, defaults: true })[symbol];
      return service as grpc.ServiceDefinition;
    };
    const { GetStatus } = await described(nodeControl.name);
    const { nodeName, generation, mode, connections } = await call(observer, GetStatus, {});
    assert.deepEqual([nodeName, generation, mode], [NODE, daemon.ready.generation, 'strict']);
    assert.ok(isCount(connections) && connections.inboundMutualTls >= 3);
    const { ListNodes } = await described(clusterControl.name);
    assert.ok(Array.isArray((await call(observer, ListNodes, {})).nodes));
    const { Check } = await described('grpc.health.v1.Health');
    assert.equal((await call(observer, Check, {})).status, 1);
    assert.equal(await reflection.end(), OK);
  });

  await t.test('silence, half a ClientHello, garbage and HTTP/1 are closed within their deadline', async () => {
    const before = await plaintextRefused();
    const changed = { ...config, tls: { ...config.tls, 'sniff-timeout': '300ms', 'handshake-timeout': '300ms' } };
    await cluster.writeConfig(NODE, changed);
    await daemon.waitFor('config.reloaded');
    const said = await Promise.all([
      whatComes(port, ''),
      whatComes(port, Buffer.from('160301020001000100', 'hex')),
      whatComes(port, '\0\0\0\0garbage'),
      whatComes(port, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'),
    ]);
    assert.match(said[3], /^HTTP\/1\.1 400 /);
    await refusal(daemon, 'sniff_timeout');
    await refusal(daemon, 'handshake_timeout');
    assert.equal(await plaintextRefused(), before + 2);
  });

  await t.test('an admin drains the daemon', async () => {
    assert.deepEqual(await callUnary(admin, nodeControl, 'Drain', {}), { state: 'draining' });
    assert.equal(await daemon.exited, 0);
    assert.equal(daemon.stderr, '');
  });
});

async function clientOfTls12(t: TestContext, port: number, { store }: TestCluster): Promise<grpc.Client> {
  const { certPem, keyPem } = await store.authority.issue(PEER);
  const context = createSecureContext({
    ca: store.authority.anchorsPem,
    cert: certPem,
    key: keyPem,
    maxVersion: 'TLSv1.2',
  });
  const credentials = grpc.credentials.createFromSecureContext(context);
  return bareClient(t, port, credentials, { 'grpc.ssl_target_name_override': 'localhost' });
}

/** Calls a unary method whose types nobody told the compiler. */
function call(
  client: grpc.Client,
  method: grpc.MethodDefinition<object, object> | undefined,
  request: object,
): Promise<Readonly<Record<string, unknown>>> {
  if (method === undefined) throw new TypeError('there is no such method');
  const { path, requestSerialize, responseDeserialize } = method;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, response) => {
      if (error !== null) reject(error);
      else resolve({ ...response });
    });
  });
}

/** google.protobuf.FileDescriptorSet: `repeated FileDescriptorProto file = 1`. */
function descriptorSet(files: readonly Buffer[]): Buffer {
  return Buffer.concat(files.flatMap(file => [Buffer.from([0x0a]), varint(file.length), file]));
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function isCount(value: unknown): value is { readonly inboundMutualTls: number } {
  return typeof value === 'object' && value !== null && 'inboundMutualTls' in value;
}

/** What a port answers to `bytes` until it closes the connection. */
function whatComes(port: number, bytes: string | Buffer): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  if (bytes.length > 0) socket.write(bytes);
  let text = '';
  socket.on('data', chunk => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  return new Promise(resolve => socket.once('close', () => resolve(text)));
}
