import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { lentChannel } from '../../src/connector/lent-channel.ts';
import { createAuthority } from '../../src/dev-pki/authority.ts';
import { parseAddress, withScheme } from '../../src/identity/address.ts';
import { echo, echoDefinition, whoAmI } from '../kit/echo-service.ts';
import { makeSnapshot, overriding, startConnector, startListener } from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';

test('twenty rotations under load: no call fails, a running stream stays on its connection, new calls use the new certificate', async t => {
  const authority = await createAuthority();
  const server = await startListener(t, { snapshot: await makeSnapshot(t, { authority }) });
  const { client, trust } = startConnector(t, {
    addresses: [withScheme(server.address, 'https')],
    snapshot: await makeSnapshot(t, { authority }),
  });
  assert.ok(trust !== undefined);
  const chat = client.makeBidiStreamRequest(
    echoDefinition.Chat.path,
    (b: Buffer) => b,
    (b: Buffer) => b,
  );
  const replies: string[] = [];
  let streamError: unknown;
  chat.on('data', (reply: Buffer) => replies.push(reply.toString()));
  chat.on('error', error => {
    streamError = error;
  });
  let stop = false;
  let calls = 0;
  const load = Array.from({ length: 4 }, async () => {
    while (!stop) {
      assert.equal(await echo(client, 'x'), 'x');
      calls += 1;
    }
  });
  for (let rotation = 1; rotation <= 20; rotation += 1) {
    trust.set(await makeSnapshot(t, { authority, request: { uris: [`spiffe://dev/fabric/generation-${rotation}`] } }));
    chat.write(Buffer.from(`${rotation}`));
    const before = calls;
    await until('calls went on', () => calls > before + 5);
  }
  stop = true;
  await Promise.all(load);
  await until('the stream answered each message', () => replies.length === 20);
  assert.equal(streamError, undefined);
  assert.deepEqual((await whoAmI(client)).uris, ['spiffe://dev/fabric/generation-20']);
  chat.end();
  await until('only the newest connection is left', () => server.listener.connections.length === 1);
});

test('calls wait for a server that restarts and none fails', async t => {
  const authority = await createAuthority();
  const snapshot = await makeSnapshot(t, { authority });
  const first = await startListener(t, { snapshot });
  const { client, addresses } = startConnector(t, { addresses: [withScheme(first.address, 'https')], snapshot });
  let stop = false;
  let calls = 0;
  const load = Array.from({ length: 4 }, async () => {
    while (!stop) {
      assert.equal(await echo(client, 'x'), 'x');
      calls += 1;
    }
  });
  await until('calls run', () => calls > 20);
  await first.listener.close('node_draining', 10_000);
  const second = await startListener(t, { snapshot });
  addresses.set([withScheme(second.address, 'https')]);
  const before = calls;
  await until('calls run again', () => calls > before + 20);
  stop = true;
  await Promise.all(load);
});

test('a connection that is drained under load ends without a failed call, and the client dials anew', async t => {
  const authority = await createAuthority();
  const snapshot = await makeSnapshot(t, { authority });
  const server = await startListener(t, { snapshot });
  const { client } = startConnector(t, { addresses: [withScheme(server.address, 'https')], snapshot });
  let stop = false;
  let calls = 0;
  const load = Array.from({ length: 8 }, async () => {
    while (!stop) {
      await echo(client, 'x');
      calls += 1;
    }
  });
  for (let round = 0; round < 30; round += 1) {
    const before = calls;
    await until('calls run', () => calls > before + 10);
    await server.listener.drainConnections('mode_changed', 10_000);
  }
  stop = true;
  await Promise.all(load);
});

test('a stream on a draining connection is not ended by the deadline of dials', async t => {
  const authority = await createAuthority();
  const server = await startListener(t, { snapshot: await makeSnapshot(t, { authority }) });
  const addresses = [withScheme(server.address, 'https')];
  const { client } = startConnector(t, {
    addresses,
    snapshot: await makeSnapshot(t, { authority }),
    connectTimeoutMs: 300,
  });
  const chat = client.makeBidiStreamRequest(
    echoDefinition.Chat.path,
    (b: Buffer) => b,
    (b: Buffer) => b,
  );
  let replies = 0;
  let streamError: unknown;
  chat.on('data', () => {
    replies += 1;
  });
  chat.on('error', error => {
    streamError = error;
  });
  chat.write(Buffer.from('x'));
  await until('the stream runs', () => replies === 1);
  const drained = server.listener.drainConnections('mode_changed', 20_000);
  const startedAt = performance.now();
  await until('the deadline of a dial has passed twice', () => performance.now() - startedAt > 700);
  chat.write(Buffer.from('y'));
  await until('the stream still answers', () => replies === 2 || streamError !== undefined);
  assert.equal(streamError, undefined);
  chat.end();
  await drained;
});

test('a call to a member that is removed is cut after the drain timeout with that reason, and a new one fails at once', async t => {
  const snapshot = await makeSnapshot(t);
  const server = await startListener(t, { snapshot });
  const { client, addresses } = startConnector(t, {
    addresses: [withScheme(server.address, 'https')],
    snapshot,
    drainTimeoutMs: 50,
    refusedHoldTimeoutMs: 60_000,
  });
  const chat = client.makeBidiStreamRequest(
    echoDefinition.Chat.path,
    (b: Buffer) => b,
    (b: Buffer) => b,
  );
  const ended = new Promise<grpc.ServiceError>(resolve => chat.once('error', resolve));
  const answered = new Promise(resolve => chat.once('data', resolve));
  chat.write(Buffer.from('x'));
  await answered;
  addresses.set([]);
  assert.match((await ended).details, /\(not_a_member\)/);
  await assert.rejects(echo(client, 'x'), /UNAVAILABLE.*node-1 is not a member/);
});

test('a closed connector dials nobody, also not a member that was never called before', async t => {
  const snapshot = await makeSnapshot(t);
  const server = await startListener(t, { snapshot });
  const { connector } = startConnector(t, { addresses: [withScheme(server.address, 'https')], snapshot });
  connector.close();
  for (const name of ['node-1', 'node-2']) {
    const client = new grpc.Client('x', grpc.credentials.createInsecure(), overriding(connector.channel(name)));
    await assert.rejects(echo(client, 'x'), new RegExp(`UNAVAILABLE: the connection to ${name} is closed`));
  }
  assert.equal(server.listener.connections.length, 0);
});

test('a stream that outlives the grace is cut with UNAVAILABLE and the reason', async t => {
  const snapshot = await makeSnapshot(t);
  const server = await startListener(t, { snapshot });
  const { client } = startConnector(t, { addresses: [withScheme(server.address, 'https')], snapshot });
  const chat = client.makeBidiStreamRequest(
    echoDefinition.Chat.path,
    (b: Buffer) => b,
    (b: Buffer) => b,
  );
  chat.on('data', () => {});
  const ended = new Promise<grpc.ServiceError>(resolve => chat.once('error', resolve));
  chat.write(Buffer.from('x'));
  await until('the call is there', () => (server.listener.connections[0]?.activeCalls ?? 0) === 1);
  await server.listener.drainConnections('node_draining', 50);
  const { code, details } = await ended;
  assert.equal(code, grpc.status.UNAVAILABLE);
  assert.match(details, /node_draining/);
});

test('twenty concurrent calls to a server that refuses us all fail with the reason', async t => {
  const snapshot = await makeSnapshot(t);
  const server = await startListener(t, { snapshot, allowed: ['cn:somebody-else'] });
  const { client } = startConnector(t, { addresses: [withScheme(server.address, 'https')], snapshot });
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => echo(client, 'x')));
  for (const result of results)
    assert.match(String(result.status === 'rejected' && result.reason), /UNAVAILABLE.*subject_not_allowed/);
});

test('a server with another identity than the expected one is refused by us', async t => {
  const authority = await createAuthority();
  const server = await startListener(t, { snapshot: await makeSnapshot(t, { authority }) });
  const { client, log } = startConnector(t, {
    addresses: [withScheme(server.address, 'https')],
    snapshot: await makeSnapshot(t, { authority }),
    serverSubjectNames: ['uri:spiffe://other/**'],
  });
  await assert.rejects(echo(client, 'x'), /server_identity_mismatch/);
  assert.ok(log.some(line => line.event === 'connection.refused' && line.reason === 'server_identity_mismatch'));
});

test('a server whose certificate comes from a foreign CA is refused by us', async t => {
  const server = await startListener(t, { snapshot: await makeSnapshot(t) });
  const { client } = startConnector(t, {
    addresses: [withScheme(server.address, 'https')],
    snapshot: await makeSnapshot(t),
  });
  await assert.rejects(echo(client, 'x'), /unknown_ca/);
});

test('of a list of addresses the first that can be reached serves', async t => {
  const snapshot = await makeSnapshot(t);
  const server = await startListener(t, { snapshot });
  const gone = await startListener(t, { snapshot });
  await gone.listener.close();
  const { client } = startConnector(t, {
    addresses: [withScheme(gone.address, 'https'), withScheme(server.address, 'https')],
    snapshot,
  });
  assert.equal(await echo(client, 'x'), 'x');
});

test('a call to a server that cannot be reached fails at its deadline and says so', async t => {
  const snapshot = await makeSnapshot(t);
  const gone = await startListener(t, { snapshot });
  await gone.listener.close();
  const { client } = startConnector(t, { addresses: [withScheme(gone.address, 'https')], snapshot });
  await assert.rejects(echo(client, 'x', 300), /DEADLINE_EXCEEDED.*node-1 is not connected/);
});

test('a member that is known to be up is dialled where it moved to, not where it was', async t => {
  const snapshot = await makeSnapshot(t);
  const [before, after] = [await startListener(t, { snapshot }), await startListener(t, { snapshot })];
  const { client, connector, addresses } = startConnector(t, {
    addresses: [withScheme(before.address, 'https')],
    snapshot,
  });
  assert.equal(await echo(client, 'x'), 'x');
  // Where it moved to, the handshake takes its time.
  const waiting: net.Socket[] = [];
  const slow = net.createServer(socket => waiting.push(socket)).listen(0, '127.0.0.1');
  t.after(() => slow.close());
  await once(slow, 'listening');
  const { port } = slow.address() as net.AddressInfo;
  addresses.set([{ ...withScheme(after.address, 'https'), port }]);
  await until('the new address is dialled', () => waiting.length > 0);
  await before.listener.close();
  const answer = echo(client, 'y', 10_000);
  const channel = connector.channel('node-1');
  await until(
    'the old one is gone',
    () => channel.getConnectivityState(false) === grpc.connectivityState.TRANSIENT_FAILURE,
  );
  channel.retryNow();
  for (const socket of waiting) socket.pipe(net.connect(after.address.port, '127.0.0.1')).pipe(socket);
  assert.equal(await answer, 'y');
});

test('an impatient call fails as soon as the dial does', async t => {
  const snapshot = await makeSnapshot(t);
  const gone = await startListener(t, { snapshot });
  await gone.listener.close();
  const { connector } = startConnector(t, { addresses: [withScheme(gone.address, 'https')], snapshot });
  const client = new grpc.Client(
    'x',
    grpc.credentials.createInsecure(),
    overriding(connector.channel('node-1').impatient),
  );
  await assert.rejects(echo(client, 'x'), /UNAVAILABLE.*ECONNREFUSED/);
});

test('a client that is closed makes no further call; another of the same member goes on, and so do running calls', async t => {
  const snapshot = await makeSnapshot(t);
  const server = await startListener(t, { snapshot });
  const { connector } = startConnector(t, { addresses: [withScheme(server.address, 'https')], snapshot });
  const [one, other] = ['one', 'other'].map(
    name =>
      new grpc.Client(
        name,
        grpc.credentials.createInsecure(),
        overriding(lentChannel(connector.channel('node-1'), 'node-1')),
      ),
  );
  assert.ok(one !== undefined && other !== undefined);
  assert.equal(await echo(one, 'a'), 'a');
  const running = echo(one, 'running');
  one.close();
  assert.equal(await running, 'running');
  await assert.rejects(echo(one, 'b'), {
    code: grpc.status.UNAVAILABLE,
    details: 'the connection to node-1 is closed',
  });
  assert.equal(await echo(other, 'c'), 'c');
  assert.equal(server.listener.connections.length, 1);
});

test('when the mode turns strict a plaintext connection gets no further call', async t => {
  const authority = await createAuthority();
  const snapshot = await makeSnapshot(t, { authority });
  const server = await startListener(t, { mode: 'optional', snapshot });
  const { client, policy, addresses } = startConnector(t, {
    mode: 'optional',
    addresses: [withScheme(server.address, 'http')],
    snapshot,
  });
  assert.equal((await whoAmI(client)).security, 'none');
  policy.set({ ...policy.value, mode: 'strict' });
  await assert.rejects(echo(client, 'x'), /no_usable_address/);
  addresses.set([withScheme(server.address, 'https')]);
  assert.equal((await whoAmI(client)).security, 'mutual_tls');
});

test('IPv6 is dialled and verified like IPv4', async t => {
  const authority = await createAuthority();
  const request = { ipAddresses: ['::1'] };
  const server = await startListener(t, { snapshot: await makeSnapshot(t, { authority, request }), host: '::1' });
  const { client } = startConnector(t, {
    addresses: [parseAddress(`https://[::1]:${server.address.port}`)],
    snapshot: await makeSnapshot(t, { authority }),
    serverSubjectNames: [],
  });
  assert.equal(await echo(client, 'x'), 'x');
});
