import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import type { Daemon } from '../../scripts/kit/daemon.ts';
import { createLogger, FabricNode, type TlsMode } from '../../src/index.ts';
import { nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import type { LogLine } from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';
import { askLocally, closedPort, fabricPort, peerOnce, refusal, TestCluster } from './test-cluster.ts';

const MODES = ['plain', 'optional', 'strict'] as const;

/** dials x listens: what protects the connection, or the reason why there is none. */
const TABLE = {
  plain: { plain: 'none', optional: 'none', strict: 'plaintext_refused' },
  optional: { plain: 'none', optional: 'mutual_tls', strict: 'mutual_tls' },
  strict: { plain: 'tls_on_plain_listener', optional: 'mutual_tls', strict: 'mutual_tls' },
} as const;

test('the nine cells of the mode table', async t => {
  const cluster = await TestCluster.make(t);
  // At a host of its own: what a dialler says of its port must not help the daemons to dial it.
  const nowhere = `127.0.0.2:${await closedPort()}`;
  const diallers = MODES.map(mode => [`dials-${mode}`, nowhere] as const);
  const daemons = new Map<TlsMode, Daemon>();
  await Promise.all(
    MODES.map(async mode => {
      const daemon = await cluster.start(mode, { mode, members: diallers, top: { 'log-level': 'debug' } });
      daemons.set(mode, daemon);
    }),
  );
  const listens = (mode: TlsMode): Daemon => {
    const daemon = daemons.get(mode);
    if (daemon === undefined) throw new TypeError(`no daemon in mode ${mode}`);
    return daemon;
  };
  const members = MODES.map(mode => [mode as string, `127.0.0.1:${fabricPort(listens(mode))}`] as const);

  for (const dials of MODES) {
    const log: LogLine[] = [];
    const options = await cluster.nodeOptions(`dials-${dials}`, dials, members);
    const logger = createLogger({ level: 'debug', write: line => log.push(JSON.parse(line)) });
    // A library node in this process does all the dialling: nobody is told where it listens.
    await using node = await FabricNode.start(options, { logger });
    for (const mode of MODES) {
      const expected = TABLE[dials][mode];
      await t.test(`${dials} dials ${mode}: ${expected}`, async () => {
        if (expected === 'none' || expected === 'mutual_tls') await connects(node, listens(mode), mode, expected);
        else await isRefused(node, log, listens(mode), mode, expected);
      });
    }
  }

  await t.test('three daemons that list each other: each pair has one stream, or both sides say why not', async () => {
    for (const mode of MODES) {
      const others = members.filter(([name]) => name !== mode);
      // What is known to speak TLS only is not even dialled by a plain node.
      const known = others.map(([name, address]): readonly [string, string] =>
        mode === 'plain' && name === 'strict' ? [name, `https://${address}`] : [name, address],
      );
      await cluster.writeMembers(mode, [...known, ...diallers]);
    }
    const [plain, optional, strict] = [listens('plain'), listens('optional'), listens('strict')];
    const connected = (security: string) => (peer: { state: string; security: string }) =>
      peer.state === 'connected' && peer.security === security;
    await peerOnce(plain, 'optional', connected('none'));
    await peerOnce(optional, 'plain', connected('none'));
    await peerOnce(optional, 'strict', connected('mutual_tls'));
    await peerOnce(strict, 'optional', connected('mutual_tls'));
    await peerOnce(plain, 'strict', peer => peer.state === 'refused' && peer.reason === 'no_usable_address');
    await peerOnce(strict, 'plain', peer => peer.state === 'refused' && peer.reason === 'tls_on_plain_listener');
    await refusal(plain, 'no_usable_address', { direction: 'outbound', node: 'strict', by: 'us' });
    await plain.waitFor('peer.refused', line => line.node === 'strict' && line.reason === 'no_usable_address');
    await refusal(plain, 'tls_on_plain_listener', { direction: 'inbound' });
    await refusal(strict, 'tls_on_plain_listener', { direction: 'outbound', node: 'plain', by: 'peer' });
  });
});

async function connects(node: FabricNode, daemon: Daemon, mode: TlsMode, security: string): Promise<void> {
  const { node: name } = node.ready;
  const there = await peerOnce(node, mode, peer => peer.state === 'connected' && peer.security === security);
  assert.equal(there.direction, 'outbound');
  assert.equal(there.mode, mode);
  const here = await peerOnce(daemon, name, peer => peer.state === 'connected' && peer.security === security);
  assert.equal(here.direction, 'inbound');
  assert.equal(here.subject, security === 'none' ? '' : `CN=${name}`);

  const status = await callUnary(node.client(grpc.Client, mode), nodeControl, 'GetStatus', {});
  assert.equal(status.nodeName, mode);
  const { connections } = await askLocally(daemon, 'ListConnections');
  const ours = connections.filter(each => each.direction === 'inbound' && each.nodeName === name);
  assert.deepEqual(
    ours.map(each => each.security),
    [security],
  );
}

async function isRefused(
  node: FabricNode,
  log: readonly LogLine[],
  daemon: Daemon,
  mode: TlsMode,
  reason: string,
): Promise<void> {
  await peerOnce(node, mode, peer => peer.state === 'refused' && peer.reason === reason);
  const isSaid = (line: LogLine) =>
    line.event === 'connection.refused' && line.reason === reason && line.node === mode && line.by === 'peer';
  await until('the dialler says so', () => log.some(isSaid));
  const line = await refusal(daemon, reason, { direction: 'inbound' });
  assert.match(String(line.remote), /^127\.0\.0\.1:\d+$/);
  await peerOnce(daemon, node.ready.node, peer => peer.state === 'unreachable');

  await assert.rejects(
    callUnary(node.client(grpc.Client, mode), nodeControl, 'GetStatus', {}),
    (error: grpc.ServiceError) =>
      error.code === grpc.status.UNAVAILABLE &&
      error.details.includes(reason) &&
      error.metadata.get('selvedge-reason')[0] === reason,
  );
}
