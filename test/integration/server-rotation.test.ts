import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { TrustSnapshot } from '../../src/credentials/trust-snapshot.ts';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';
import { withScheme } from '../../src/identity/address.ts';
import { openChat } from '../kit/chat.ts';
import { echo } from '../kit/echo-service.ts';
import {
  makeSnapshot,
  startConnector,
  startListener,
  type TestConnector,
  type TestListener,
} from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';

interface Scene extends TestConnector {
  readonly server: TestListener;
  /** Gives the server another certificate, and resolves with its fingerprint. */
  rotate(): Promise<string>;
  /** How often it was dialled and let in. */
  opened(): number;
  /** What the servers of all open connections showed. */
  shown(): readonly (string | undefined)[];
}

async function begin(t: TestContext): Promise<Scene> {
  const authority: Authority = await createAuthority();
  const snapshot = (): Promise<TrustSnapshot> => makeSnapshot(t, { authority });
  const server = await startListener(t, { snapshot: await snapshot() });
  const dialling = startConnector(t, { addresses: [withScheme(server.address, 'https')], snapshot: await snapshot() });
  await echo(dialling.client, 'x');
  return {
    ...dialling,
    server,
    rotate: async () => {
      const next = await snapshot();
      server.trust.set(next);
      return next.own.identity.fingerprint256;
    },
    opened: () => server.log.filter(({ event }) => event === 'connection.opened').length,
    shown: () => dialling.connector.connections.map(({ identity }) => identity?.fingerprint256),
  };
}

test('after a rotation of the server another connection takes over, no call fails, and streams go on', async t => {
  const { client, connector, rotate, shown } = await begin(t);
  const [before] = shown();
  const stream = openChat(client);
  await stream.says('1');
  const next = await rotate();
  connector.renewOthers('node-1', next);
  await until('the new one is there', async () => {
    assert.equal(await echo(client, 'x'), 'x');
    return shown().includes(next);
  });
  const late = openChat(client);
  await late.says('1');
  await stream.says('2');
  assert.deepEqual(shown(), [before, next], 'the stream of before holds its connection');
  stream.call.end();
  await stream.ended;
  await until('the old one went with its last call', () => shown().length === 1);
  assert.deepEqual(shown(), [next]);
  await late.says('2');
});

test('a member that says what it shows already is not dialled anew', async t => {
  const { connector, rotate, opened, shown } = await begin(t);
  connector.renewOthers('node-1', shown()[0] ?? '');
  const next = await rotate();
  connector.renewOthers('node-1', next);
  await until('it is dialled anew once it has another', () => shown().length === 1 && shown()[0] === next);
  assert.equal(opened(), 2);
});

test('a member that never shows what it says is dialled anew a little, and no call fails', async t => {
  const { client, connector, server, opened } = await begin(t);
  connector.renewOthers('node-1', 'f'.repeat(64));
  // The second is for a handshake that may have been under way.
  await until('two have followed the first', () => opened() === 3 && server.listener.connections.length === 1);
  for (let calls = 0; calls < 50; calls += 1) await echo(client, 'x');
  assert.equal(opened(), 3);
});

test('a connection that was being made when the member said it is replaced as soon as it is ready', async t => {
  const { client, connector, server, rotate, shown } = await begin(t);
  // Ends the connection: the next one is made by grpc-js, to a server that still shows the first certificate.
  await server.listener.drainConnections('credentials_rotated', 0, () => true);
  await until('it is gone', () => connector.connections.length === 0);
  const call = echo(client, 'x');
  await until('the next one has seen the old certificate', () => connector.connections.length === 1);
  const next = await rotate();
  connector.renewOthers('node-1', next);
  assert.equal(await call, 'x');
  await until('the new certificate is on the only one', () => shown().length === 1 && shown()[0] === next);
});
