import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import type { Daemon } from '../../scripts/kit/daemon.ts';
import { createLogger, FabricNode, type FabricNodeOptions } from '../../src/index.ts';
import { connectMethod } from '../../src/messaging/frame.ts';
import { createSslClient } from '../kit/bare-grpc.ts';
import type { LogLine } from '../kit/fabric-pair.ts';
import { helloOf } from '../kit/raw-peer.ts';
import { until } from '../kit/until.ts';
import { closedPort, fabricPort, peerOnce, refusal, TestCluster } from './test-cluster.ts';

test('a Hello that is refused is refused with a reason that both sides log', async t => {
  const cluster = await TestCluster.make(t);
  const { authority } = cluster.store;
  const nowhere = `127.0.0.2:${await closedPort()}`;
  const listed = ['node-2', 'node-3', 'twin'].map(name => [name, nowhere] as const);
  const daemon = await cluster.start('node-1', {
    members: listed,
    top: { observability: { 'bind-address': '127.0.0.1:0' } },
  });
  const port = fabricPort(daemon);
  const members = [['node-1', `127.0.0.1:${port}`]] as const;

  await t.test('of a node of another cluster: cluster_mismatch', async () => {
    const options = await cluster.nodeOptions('node-2', 'strict', members);
    await isRefused({ ...options, clusterName: 'prod' }, daemon, 'cluster_mismatch', 'CN=node-2');
  });

  await t.test('of a node that the members file does not list: not_a_member', async () => {
    const options = await cluster.nodeOptions('node-9', 'strict', members);
    await isRefused(options, daemon, 'not_a_member', 'CN=node-9');
  });

  await t.test('of a node that shows the certificate of another: node_identity_mismatch', async () => {
    const { networking, ...options } = await cluster.nodeOptions('node-3', 'strict', members);
    const certFile = cluster.path('certs', 'node-2.pem');
    const keyFile = cluster.path('certs', 'node-2.key');
    const pretends = { ...options, networking: { ...networking, tls: { ...networking?.tls, certFile, keyFile } } };
    await isRefused(pretends, daemon, 'node_identity_mismatch', 'CN=node-2', async node => {
      // And whoever dials it finds somebody else.
      await cluster.writeMembers('node-1', [
        ...listed.filter(([name]) => name !== 'node-3'),
        addressOf(node, 'node-3'),
      ]);
      await refusal(daemon, 'server_identity_mismatch', { direction: 'outbound', node: 'node-3', by: 'us' });
      await peerOnce(daemon, 'node-3', peer => peer.reason === 'server_identity_mismatch');
    });
  });

  await t.test('of a node that speaks no protocol version in common: protocol_version', async () => {
    const request = { commonName: 'node-2', uris: ['spiffe://dev/fabric/node-2'] };
    const client = await createSslClient(t, port, authority.anchorsPem, authority, request);
    const { path, requestSerialize, responseDeserialize } = connectMethod;
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    call.on('error', () => {}).resume();
    const ended = new Promise<grpc.StatusObject>(resolve => call.once('status', resolve));
    const { hello } = helloOf('node-2', { clusterName: 'dev' });
    call.write({ hello: { ...hello, protocolMin: 7, protocolMax: 9 } });
    const { code, metadata } = await ended;
    assert.equal(code, grpc.status.FAILED_PRECONDITION);
    assert.deepEqual(metadata.get('selvedge-reason'), ['protocol_version']);
    await refusal(daemon, 'protocol_version', { node: 'node-2', subject: 'CN=node-2' });
  });

  await t.test('of two daemons of one name the older is refused: stale_generation', async () => {
    const config = { members: [['node-1', `127.0.0.1:${port}`]] as const };
    const older = await cluster.start('twin', config);
    await peerOnce(daemon, 'twin', peer => peer.generation === older.ready.generation);
    await cluster.writeConfig('twin', { ...config, top: { 'data-dir': 'data/second' } });
    const newer = cluster.spawn('twin');
    await newer.waitFor('peer.connected');
    assert.ok(newer.ready.generation > older.ready.generation);
    await peerOnce(older, 'node-1', peer => peer.state === 'refused' && peer.reason === 'stale_generation');
    await older.waitFor('peer.refused', line => line.reason === 'stale_generation' && line.by === 'peer');
    await refusal(daemon, 'stale_generation', { direction: 'inbound', node: 'twin', subject: 'CN=twin' });
    await peerOnce(daemon, 'twin', peer => peer.generation === newer.ready.generation && peer.state === 'connected');
  });

  await t.test('and all of them are counted', async () => {
    const exposed = await (await fetch(`${daemon.ready.observability}/metrics`)).text();
    for (const reason of [
      'cluster_mismatch',
      'not_a_member',
      'node_identity_mismatch',
      'protocol_version',
      'stale_generation',
      'server_identity_mismatch',
    ])
      assert.match(exposed, new RegExp(`^selvedge_connections_refused_total\\{reason="${reason}"\\} [1-9]`, 'm'));
  });
});

/** Starts a library node that dials the daemon, and waits until both say why it is not let in. */
async function isRefused(
  options: FabricNodeOptions,
  daemon: Daemon,
  reason: string,
  subject: string,
  meanwhile: (node: FabricNode) => Promise<void> = async () => {},
): Promise<void> {
  const log: LogLine[] = [];
  const logger = createLogger({ write: line => log.push(JSON.parse(line)) });
  await using node = await FabricNode.start(options, { logger });
  const { remote, fingerprint } = await refusal(daemon, reason, {
    direction: 'inbound',
    node: options.nodeName,
    subject,
  });
  assert.match(String(remote), /^127\.0\.0\.1:\d+$/);
  assert.match(String(fingerprint), /^[0-9a-f]{64}$/);
  await peerOnce(node, 'node-1', peer => peer.state === 'refused' && peer.reason === reason);
  const isSaid = (line: LogLine) => line.event === 'peer.refused' && line.reason === reason && line.by === 'peer';
  await until('the refused node says so', () => log.some(isSaid));
  await meanwhile(node);
}

function addressOf(node: FabricNode, name: string): readonly [string, string] {
  return [name, node.ready.fabric[0] ?? ''];
}
