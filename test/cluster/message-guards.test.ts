import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { isSelvedgeError } from '../../src/errors/selvedge-error.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import type { FabricNodeOptions } from '../../src/node/node-options.ts';
import type { Caller } from '../../src/rpc/caller.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import type { LogLine } from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';
import { closedPort, peerOnce, TestCluster } from './test-cluster.ts';

const KIND = 'cache.invalidate';

test('both nodes of a stream send over it as who their certificates say, and rules of now decide on each message', async t => {
  const { one, two, heard, reload } = await pair(t);
  assert.equal(await said(one, 'node-2'), 'ok');
  assert.equal(await said(two, 'node-1'), 'ok');
  assert.deepEqual(
    heard.map(({ identity, roles }) => [identity?.uris, [...roles]]),
    [
      [['spiffe://dev/fabric/node-1'], ['peer']],
      [['spiffe://dev/fabric/node-2'], ['peer']],
    ],
  );
  const deny = {
    name: 'no',
    source: { principals: ['spiffe://dev/fabric/node-2'] },
    request: { paths: [`/selvedge.message/${KIND}`] },
  };
  await reload(JSON.stringify({ name: 'p', deny_rules: [deny], allow_rules: [{ name: 'all' }] }));
  assert.equal(await said(two, 'node-1'), 'not_allowed');
  assert.equal(await said(one, 'node-2'), 'ok');
});

test('what a node with a certificate for servers alone sends over the stream that others dialled is declined, and told', async t => {
  const { one, two, heard, log } = await pair(t, true);
  assert.equal(await said(one, 'node-2'), 'ok');
  assert.equal(await said(two, 'node-1'), 'declined');
  assert.equal(heard.length, 1);
  const line = log.find(({ event }) => event === 'peer.not_admitted');
  assert.deepEqual([line?.node, line?.reason], ['node-2', 'wrong_key_usage']);
});

/** `ok`, or why a message failed. */
async function said(from: FabricNode, to: string): Promise<string> {
  try {
    await from.messages.request(to, KIND, Buffer.alloc(0), { timeoutMs: 30_000 });
    return 'ok';
  } catch (error) {
    if (isSelvedgeError(error, 'message_failed')) return error.facts.reason;
    throw error;
  }
}

/** Two nodes, each with a handler, and the stream that node-1 dialled. @param isSplit node-2 has a certificate for each use. */
async function pair(t: TestContext, isSplit = false) {
  const cluster = await TestCluster.make(t);
  // What node-2 knows of node-1 is of no use: so it is node-1 that dials.
  const [ofTwo, ofNobody] = [await closedPort(), await closedPort()];
  const members = [
    ['node-1', `127.0.0.1:${ofNobody}`],
    ['node-2', `127.0.0.1:${ofTwo}`],
  ] as const;
  const heard: Caller[] = [];
  const log: LogLine[] = [];
  const start = async (name: string, port: number, changes: object = {}) => {
    const { networking = {}, ...rest } = await cluster.nodeOptions(name, 'strict', members);
    const options: FabricNodeOptions = {
      ...rest,
      networking: { ...networking, bindAddress: `127.0.0.1:${port}`, tls: { ...networking.tls, ...changes } },
    };
    const logger = createLogger({ level: 'debug', write: line => name === 'node-1' && log.push(JSON.parse(line)) });
    const node = await FabricNode.start(options, { logger });
    t.after(() => node.close());
    node.messages.handle(KIND, ({ caller }) => void heard.push(caller));
    return { node, options };
  };
  const { node: one, options } = await start('node-1', 0);
  const { node: two } = await start('node-2', ofTwo, isSplit ? await split(cluster) : {});
  for (const [node, peer] of [
    [one, 'node-2'],
    [two, 'node-1'],
  ] as const)
    await peerOnce(node, peer, ({ state }) => state === 'connected');
  const policyFile = cluster.path('policy.json');
  const reload = async (policy: string) => {
    await writeFile(policyFile, policy);
    await one.reload({ ...options, authorization: { policyFile } });
  };
  await until('the stream takes messages', async () => (await said(one, 'node-2')) === 'ok');
  heard.length = 0;
  return { one, two, heard, log, reload };
}

async function split(cluster: TestCluster): Promise<object> {
  const shown = async (usage: 'server' | 'client') => {
    const request = { commonName: 'node-2', uris: ['spiffe://dev/fabric/node-2'], usage };
    const { certPem, keyPem } = await cluster.store.authority.issue(request);
    const [certFile, keyFile] = [cluster.path(`${usage}.pem`), cluster.path(`${usage}.key`)];
    await writeFile(certFile, certPem);
    await writeFile(keyFile, keyPem, { mode: 0o600 });
    return { certFile, keyFile };
  };
  return { ...(await shown('server')), client: await shown('client') };
}
