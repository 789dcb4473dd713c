import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { test } from 'node:test';
import type { Security } from '../rpc/security.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { OutboundConnections } from './outbound-connections.ts';

const SECURITY: Security = { kind: 'mutual_tls', protocol: 'TLSv1.3', cipher: 'x' };
const FACTS = { nodeName: 'node-2', address: 'https://node-2.example:5122', security: SECURITY, identity: undefined };
const HOLD = { withdraw: () => assert.fail('withdrawn'), renew: () => assert.fail('renewed') };
const JUDGES_NOTHING = { logger: silentLogger, judge: () => undefined, graceMs: () => 5_000 };

test('a connection is listed and counted from its beginning to the close of its socket', async () => {
  const metrics = createMetrics();
  const connections = new OutboundConnections({ ...JUDGES_NOTHING, metrics });
  const sockets = [new Socket(), new Socket()];
  for (const socket of sockets) connections.add(socket, FACTS, HOLD);
  assert.deepEqual(
    connections.all.map(({ nodeName, security }) => ({ nodeName, security })),
    [1, 2].map(() => ({ nodeName: 'node-2', security: SECURITY })),
  );
  const [first, second] = connections.all.map(({ id }) => id);
  assert.equal(second, (first ?? 0) + 1);
  assert.match(await metrics.expose(), /selvedge_connections\{direction="outbound",security="mutual_tls"\} 2/);
  for (const socket of sockets) {
    socket.destroy();
    await once(socket, 'close');
  }
  assert.deepEqual(connections.all, []);
  assert.match(await metrics.expose(), /selvedge_connections\{direction="outbound",security="mutual_tls"\} 0/);
});

test('a socket that was gone before it could be listed is never listed', async () => {
  const metrics = createMetrics();
  const connections = new OutboundConnections({ ...JUDGES_NOTHING, metrics });
  const socket = new Socket();
  socket.destroy();
  await once(socket, 'close');
  connections.add(socket, FACTS, HOLD);
  assert.deepEqual(connections.all, []);
  assert.doesNotMatch(await metrics.expose(), /^selvedge_connections\{.* 1$/m);
});
