// A contract test of grpc-js: the seam these credentials override is not documented, and its minor version is pinned.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { echo, echoDefinition, echoImplementation, whoAmI } from '../../test/kit/echo-service.ts';
import { makeSnapshot, startListener } from '../../test/kit/fabric-pair.ts';
import { until } from '../../test/kit/until.ts';
import { createAuthority } from '../dev-pki/authority.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { parseAddress } from '../identity/address.ts';
import { parsePatterns } from '../identity/subject-name-pattern.ts';
import { constant, MutableValue } from '../lifecycle/observable-value.ts';
import type { Security } from '../rpc/security.ts';
import {
  type ChannelSecurity,
  type DialListener,
  FABRIC_CHANNEL_OPTIONS,
  FabricChannelCredentials,
  grpcTargetOf,
} from './fabric-channel-credentials.ts';

const PLAINTEXT: ChannelSecurity = { kind: 'none', reason: 'mode_plain' };

test('grpc-js asks these credentials for each connection, and each shows the newest snapshot', async t => {
  const authority = await createAuthority();
  const snapshot = (name: string) => makeSnapshot(t, { authority, request: { uris: [`spiffe://dev/fabric/${name}`] } });
  const server = await startListener(t, { snapshot: await snapshot('server') });
  const trust = new MutableValue(await snapshot('first'));
  const secured: Security[] = [];
  const credentials = new FabricChannelCredentials({
    security: mutualTls(trust),
    timeoutMs: 20_000,
    listener: { connected: (_socket, { security }) => secured.push(security) },
  });
  const seam = t.mock.method(credentials, '_createSecureConnector');
  const client = clientOf(t, grpcTargetOf(server.address), credentials);
  assert.deepEqual((await whoAmI(client)).uris, ['spiffe://dev/fabric/first']);
  assert.ok(seam.mock.callCount() > 0, 'grpc-js no longer calls _createSecureConnector');

  trust.set(await snapshot('second'));
  assert.deepEqual((await whoAmI(client)).uris, ['spiffe://dev/fabric/first'], 'an open connection stays as it is');
  await server.listener.drainConnections('mode_changed', 20_000);
  assert.deepEqual((await whoAmI(client)).uris, ['spiffe://dev/fabric/second'], 'of the same channel');
  assert.deepEqual(
    secured.map(security => security.kind === 'mutual_tls' && security.protocol),
    ['TLSv1.3', 'TLSv1.3'],
  );
});

test('a dial that is refused, by either side, fails with the reason, which the listener hears', async t => {
  const authority = await createAuthority();
  const server = await startListener(t, {
    snapshot: await makeSnapshot(t, { authority }),
    allowed: ['cn:somebody-else'],
  });
  const cases = [
    { trust: await makeSnapshot(t, { authority }), names: ['*'], reason: 'subject_not_allowed', by: 'peer' },
    { trust: await makeSnapshot(t), names: ['*'], reason: 'unknown_ca', by: 'us' },
    { trust: await makeSnapshot(t, { authority }), names: ['cn:x'], reason: 'server_identity_mismatch', by: 'us' },
  ] as const;
  for (const { trust, names, reason, by } of cases) {
    const failures: unknown[] = [];
    const credentials = new FabricChannelCredentials({
      security: mutualTls(constant(trust), names),
      timeoutMs: 20_000,
      listener: { failed: error => failures.push(error), connected: () => assert.fail('connected') },
    });
    const client = clientOf(t, grpcTargetOf(server.address), credentials);
    await assert.rejects(echo(client, 'x'), new RegExp(`UNAVAILABLE.*${reason}`));
    const [failure] = failures;
    assert.ok(isSelvedgeError(failure, 'refused'));
    assert.deepEqual([failure.facts.reason, failure.facts.by], [reason, by]);
  }
});

test('only mutual TLS counts as secure, so that call credentials never travel in plaintext', async t => {
  const secure = new FabricChannelCredentials({ security: mutualTls(constant(await makeSnapshot(t))), timeoutMs: 1 });
  const plain = new FabricChannelCredentials({ security: PLAINTEXT, timeoutMs: 1 });
  assert.equal(secure._isSecure(), true);
  assert.equal(plain._isSecure(), false);
});

test('credentials equal themselves alone, so that no two channels share a connection', () => {
  const [one, two] = [0, 1].map(() => new FabricChannelCredentials({ security: PLAINTEXT, timeoutMs: 1 }));
  assert.ok(one !== undefined && two !== undefined);
  assert.equal(one._equals(one), true);
  assert.equal(one._equals(two), false);
});

test('an address becomes a target that grpc-js does not have to interpret', () => {
  const target = (text: string) => grpcTargetOf(parseAddress(text));
  assert.equal(target('https://node-2.example:7000'), 'dns:node-2.example:7000');
  assert.equal(target('node-2.example'), 'dns:node-2.example:5122');
  assert.equal(target('http://10.0.0.2:1'), 'ipv4:10.0.0.2:1');
  assert.equal(target('https://[2001:db8::1]:1'), 'ipv6:[2001:db8::1]:1');
  assert.equal(target('unix:/run/node.sock'), 'unix:/run/node.sock');
});

for (const host of ['127.0.0.1', '[::1]', 'localhost']) {
  test(`grpc-js dials ${host}`, async t => {
    const port = await plainServer(t, host === 'localhost' ? '127.0.0.1:0' : `${host}:0`);
    const { client, failures } = plainClient(t, grpcTargetOf(parseAddress(`${host}:${port}`)));
    assert.equal(await echo(client, 'x'), 'x', String(failures[0]));
  });
}

test('grpc-js dials a unix socket', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-socket-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, 'n.sock');
  await plainServer(t, `unix:${path}`);
  const { client, failures } = plainClient(t, grpcTargetOf({ kind: 'unix', path }));
  assert.equal(await echo(client, 'x'), 'x', String(failures[0]));
});

test('the fabric ignores proxy variables', async t => {
  const port = await plainServer(t, '127.0.0.1:0');
  const names = ['grpc_proxy', 'http_proxy', 'https_proxy'];
  const before = names.map(name => process.env[name]);
  t.after(() => {
    for (const [index, name] of names.entries()) {
      const value = before[index];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  // Nobody listens on port 1: a client that obeyed could not connect.
  for (const name of names) process.env[name] = 'http://127.0.0.1:1';
  const { client, failures } = plainClient(t, `dns:localhost:${port}`);
  assert.equal(await echo(client, 'x'), 'x', String(failures[0]));
});

test('a plaintext dial that was probed leaves one connection behind, not two', async t => {
  const server = await startListener(t, { mode: 'plain' });
  const { client } = plainClient(t, grpcTargetOf(server.address));
  assert.equal(await echo(client, 'x'), 'x');
  await until('the probe is gone', () => server.listener.connections.length === 1);
});

function mutualTls(
  trust: Extract<ChannelSecurity, { kind: 'mutual_tls' }>['trust'],
  names: readonly string[] = ['*'],
): ChannelSecurity {
  return {
    kind: 'mutual_tls',
    trust,
    minVersion: 'TLSv1.3',
    expectation: { kind: 'names', patterns: parsePatterns(names) },
  };
}

function clientOf(t: TestContext, target: string, credentials: grpc.ChannelCredentials): grpc.Client {
  const client = new grpc.Client(target, credentials, FABRIC_CHANNEL_OPTIONS);
  t.after(() => client.close());
  return client;
}

function plainClient(t: TestContext, target: string): { client: grpc.Client; failures: unknown[] } {
  const failures: unknown[] = [];
  const listener: DialListener = { failed: error => failures.push(error) };
  const credentials = new FabricChannelCredentials({ security: PLAINTEXT, timeoutMs: 20_000, listener });
  return { client: clientOf(t, target, credentials), failures };
}

function plainServer(t: TestContext, address: string): Promise<number> {
  const server = new grpc.Server();
  server.addService(echoDefinition, echoImplementation);
  t.after(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}
