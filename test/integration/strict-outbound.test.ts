// Every way in which a strict node dials, against somebody who writes down the first byte of each connection.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { initCertStore } from '../../src/dev-pki/cert-store.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import { clusterControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { until } from '../kit/until.ts';

const TLS_HANDSHAKE = 0x16;
const PATH = '/test.Echo/Unary';

test('a strict node speaks the first byte of TLS wherever it dials, and nothing else', async t => {
  const { node, firstBytes } = await start(t, 'strict');
  const isDialled = () => firstBytes.length > 0;
  await until('the peer stream dials', isDialled);
  for (const target of ['node-2', { labels: {} }]) {
    firstBytes.length = 0;
    // Not closed: that would close the channel, which all calls to the member share.
    await assert.rejects(unary(node.client(grpc.Client, target)));
    await until('a call dials', isDialled);
    assert.deepEqual([...new Set(firstBytes)], [TLS_HANDSHAKE]);
  }
  firstBytes.length = 0;
  using admin = disposable(new grpc.Client(node.ready.admin, grpc.credentials.createInsecure()));
  for (const method of ['GetClusterStatus', 'GetCaStatus'] as const) {
    const { unreachable } = await callUnary(admin, clusterControl, method, {}, { timeoutMs: 30_000 });
    assert.deepEqual(
      unreachable.map(({ nodeName }) => nodeName),
      ['node-2'],
    );
  }
  await callUnary(admin, clusterControl, 'Preflight', { to: 'strict' }, { timeoutMs: 30_000 });
  await until('the stream dials on', isDialled);
  assert.deepEqual([...new Set(firstBytes)], [TLS_HANDSHAKE]);
});

test('the same member is dialled in plaintext by a node in optional: the recorder can tell', async t => {
  const { firstBytes } = await start(t, 'optional');
  await until('it is dialled', () => firstBytes.length > 0);
  assert.notEqual(firstBytes[0], TLS_HANDSHAKE);
});

async function start(t: TestContext, mode: 'optional' | 'strict') {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-outbound-'));
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
  const path = (name: string) => join(directory, name);
  const store = await initCertStore(path('certs'), { clusterName: 'dev' });
  await store.issueNode({ nodeName: 'node-1', hosts: [], localhost: true });
  const firstBytes: number[] = [];
  const recorder = net.createServer(socket => {
    socket.on('error', () => {});
    socket.once('data', data => {
      firstBytes.push(data[0] ?? -1);
      socket.destroy();
    });
  });
  await new Promise<void>(resolve => recorder.listen(0, '127.0.0.1', resolve));
  t.after(() => recorder.close());
  const { port } = recorder.address() as net.AddressInfo;
  await writeFile(path('members.toml'), `[[member]]\nname = "node-2"\naddress = "127.0.0.1:${port}"\n`);
  const node = await FabricNode.start(
    {
      clusterName: 'dev',
      nodeName: 'node-1',
      dataDir: path('data'),
      networking: {
        bindAddress: '127.0.0.1:0',
        reconnectMaxDelayMs: 100,
        holdTimeoutMs: 500,
        tls: {
          mode,
          certFile: path('certs/node-1.pem'),
          keyFile: path('certs/node-1.key'),
          caFiles: [path('certs/ca.pem')],
          allowedSubjectNames: ['uri:spiffe://dev/fabric/*'],
        },
      },
      membership: { source: 'file', membersFile: path('members.toml') },
    },
    { logger: createLogger({ write: () => {} }) },
  );
  t.after(() => node.close());
  return { node, firstBytes };
}

function unary(client: grpc.Client): Promise<Buffer> {
  const same = (bytes: Buffer) => bytes;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(PATH, same, same, Buffer.alloc(0), (error, value) =>
      error === null ? resolve(value ?? Buffer.alloc(0)) : reject(error),
    );
  });
}

function disposable(client: grpc.Client): grpc.Client & Disposable {
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}
