import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { createAuthority } from '../../src/dev-pki/authority.ts';
import { withScheme } from '../../src/identity/address.ts';
import { echo, echoDefinition } from '../kit/echo-service.ts';
import { makeSnapshot, startConnector, startListener } from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';

const asIs = (bytes: Buffer) => bytes;

test('a connection without calls ends after the idle timeout, a rotation dials nobody, the next call dials again', async t => {
  const authority = await createAuthority();
  const server = await startListener(t, { snapshot: await makeSnapshot(t, { authority }) });
  const { client, connector, trust } = startConnector(t, {
    addresses: [withScheme(server.address, 'https')],
    snapshot: await makeSnapshot(t, { authority }),
    idleTimeoutMs: 1_000,
  });
  assert.ok(trust !== undefined);
  assert.equal(await echo(client, 'one'), 'one');
  assert.equal(connector.connections.length, 1);
  // grpc-js lets go of the socket itself up to ten seconds later.
  await until('nothing holds the connection any more', () => connector.securityOf('node-1') === undefined);
  const isIdle = () => connector.channel('node-1').getConnectivityState(false) === grpc.connectivityState.IDLE;
  assert.ok(isIdle());

  trust.set(await makeSnapshot(t, { authority }));
  assert.ok(isIdle());
  await until('the connection has ended', () => server.listener.connections.length === 0);
  assert.ok(isIdle());
  assert.equal(await echo(client, 'two'), 'two');
  assert.equal(server.log.filter(({ event }) => event === 'connection.opened').length, 2);
});

test('a call that runs keeps its connection, and is told and counted as traffic with its member', async t => {
  const server = await startListener(t, { mode: 'plain' });
  const { client, connector } = startConnector(t, {
    mode: 'plain',
    addresses: [withScheme(server.address, 'http')],
    idleTimeoutMs: 1_000,
  });
  const called: string[] = [];
  connector.onCalled = name => void called.push(name);
  assert.equal(connector.openCallsTo('node-1'), 0);
  const chat = client.makeBidiStreamRequest(echoDefinition.Chat.path, asIs, asIs);
  const replies: string[] = [];
  chat.on('data', (reply: Buffer) => replies.push(reply.toString()));
  chat.write(Buffer.from('early'));
  await until('it runs', () => replies.length === 1);
  assert.deepEqual([called, connector.openCallsTo('node-1'), connector.openCallsTo('node-2')], [['node-1'], 1, 0]);
  const began = Date.now();
  await until('the idle timeout has passed', () => Date.now() - began > 2_200);
  chat.write(Buffer.from('late'));
  await until('it still runs', () => replies.length === 2);
  chat.end();
  await until('it is counted no more', () => connector.openCallsTo('node-1') === 0);
  await until('nothing holds the connection any more', () => connector.securityOf('node-1') === undefined);
});
