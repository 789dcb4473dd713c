// Two nodes that dial each other, in this process: what was dialled before a rotation of the other side must not stay.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { freePorts } from '../../scripts/kit/free-ports.ts';
import type { CaStep } from '../../src/dev-pki/ca-step.ts';
import { rotateCa } from '../../src/dev-pki/rotate-ca.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { openChat } from '../kit/chat.ts';
import { echo, echoDefinition, echoImplementation } from '../kit/echo-service.ts';
import { until } from '../kit/until.ts';
import { askLocally, peerOnce, TestCluster } from './test-cluster.ts';

const NAMES = ['node-1', 'node-2'] as const;
type Name = (typeof NAMES)[number];

interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

interface Member {
  readonly name: Name;
  readonly other: Name;
  readonly node: FabricNode;
  readonly log: LogLine[];
  /** To the other. */
  readonly client: grpc.Client;
}

test('a CA is replaced, and nothing that began after the switch was seen everywhere is cut at the drop', async t => {
  const cluster = await TestCluster.make(t);
  const ports = await freePorts(NAMES.length);
  const members = NAMES.map((name, index) => [name, `127.0.0.1:${ports[index]}`] as const);
  const start = async (name: Name, other: Name): Promise<Member> => {
    const options = await cluster.nodeOptions(name, 'strict', members);
    const networking = { ...options.networking, bindAddress: members[NAMES.indexOf(name)]?.[1] ?? '' };
    const log: LogLine[] = [];
    const node = await FabricNode.start(
      // Nothing that is done at each heartbeat brings it about.
      { ...options, networking: { ...networking, heartbeatIntervalMs: 300_000, heartbeatTimeoutMs: 900_000 } },
      {
        logger: createLogger({ level: 'debug', write: line => log.push(JSON.parse(line)) }),
        services: [{ definition: echoDefinition, implementation: echoImplementation }],
      },
    );
    t.after(() => node.close());
    return { name, other, node, log, client: node.client(grpc.Client, other) };
  };
  const nodes = [await start('node-1', 'node-2'), await start('node-2', 'node-1')];
  const step = async (next: CaStep, isTaken: (line: LogLine) => boolean) => {
    const since = nodes.map(({ log }) => log.length);
    const rotation = await rotateCa(cluster.path('certs'), next);
    assert.ok('step' in rotation, JSON.stringify(rotation));
    for (const [index, { name, log }] of nodes.entries())
      await until(`${name} follows: ${next}`, () => log.slice(since[index]).some(isTaken));
    return since;
  };
  /** What is open between the two is one connection each way, and shows the certificate of now at both ends. */
  const isSettled = async () => {
    const leaves = new Map<string, string>();
    for (const name of NAMES) {
      const { fingerprint256 } = new X509Certificate(await readFile(cluster.path('certs', `${name}.pem`)));
      leaves.set(name, fingerprint256.replaceAll(':', '').toLowerCase());
    }
    for (const { node, other, client } of nodes) {
      assert.equal(await echo(client, 'x'), 'x');
      const { connections } = await askLocally(node, 'ListConnections');
      for (const direction of ['inbound', 'outbound']) {
        const shown = connections.filter(each => each.direction === direction && each.security === 'mutual_tls');
        if (shown.length !== 1 || shown[0]?.fingerprintSha256 !== leaves.get(other)) return false;
      }
    }
    return true;
  };
  for (const { node, other } of nodes) await peerOnce(node, other, ({ state }) => state === 'connected');
  await until('they are settled', isSettled);

  await step('add', ({ event, anchors }) => event === 'tls.reloaded' && anchors === 2);
  await step('switch', ({ event }) => event === 'tls.reloaded');
  await until('they are settled on the certificates of the new CA', isSettled);

  const streams = nodes.map(({ client }) => openChat(client));
  await Promise.all(streams.map(stream => stream.says('before the drop')));
  const since = await step('drop', ({ event, anchors }) => event === 'tls.reloaded' && anchors === 1);
  for (const [index, { name, log }] of nodes.entries()) {
    const seen = () => log.slice(since[index]);
    for (const direction of ['inbound', 'outbound'])
      await until(`${name} has judged what is open, ${direction}`, () =>
        seen().some(line => line.event === 'connections.reviewed' && line.direction === direction),
      );
    const ended = seen().filter(({ event }) => ['connection.withdrawn', 'peer.disconnected'].includes(event));
    assert.deepEqual(ended, []);
  }
  await Promise.all(streams.map(stream => stream.says('after the drop')));
  assert.ok(streams.every(({ status }) => status === undefined));
});
