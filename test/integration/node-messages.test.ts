import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { type FabricNodeOptions, isSelvedgeError } from '../../src/index.ts';
import { FabricNode, type FabricNodeParts } from '../../src/node/fabric-node.ts';
import type { NetworkingOptions } from '../../src/node/node-options.ts';
import { echoDefinition } from '../kit/echo-service.ts';
import { until } from '../kit/until.ts';

test('message-window-bytes is what is served at a time, message-queue-bytes what waits beside it', async t => {
  const start = await nodesOf(t);
  const node = await start('node-1', {
    maxMessageBytes: 4_096,
    messageQueueBytes: 8_192,
    messageWindowBytes: 4_096,
  });
  const held: (() => void)[] = [];
  node.messages.handle('slow', () => new Promise<void>(resolve => held.push(resolve)));
  const request = () => node.messages.request('node-1', 'slow', Buffer.alloc(1_000), { timeoutMs: 30_000 });

  // Each costs 1,128 bytes: with the fourth the window is used up, and of further ones seven may wait.
  const served = [request(), request(), request(), request()];
  await until('the window is full', () => held.length === 4);
  const waiting = Array.from({ length: 7 }, request);
  node.messages.handle('quick', () => {});
  await node.messages.request('node-1', 'quick', Buffer.alloc(1_000), { priority: 'high' });
  assert.equal(held.length, 4);
  await assert.rejects(
    request(),
    error => isSelvedgeError(error, 'message_failed') && error.facts.reason === 'queue_full',
  );
  assert.equal(held.length, 4);

  let answered = 0;
  for (const reply of [...served, ...waiting]) void reply.then(() => (answered += 1));
  await until('all that were taken are answered', () => {
    for (const release of held.splice(0)) release();
    return answered === 11;
  });
});

test('a node that drains answers the messages that it has, and others wait at their sender', async t => {
  const start = await nodesOf(t);
  const server = await start('node-2', {});
  const held: (() => void)[] = [];
  server.messages.handle('slow', () => new Promise<Buffer>(resolve => held.push(() => resolve(Buffer.from('late')))));
  const member = `[[member]]\nname = "node-2"\naddress = "${server.ready.fabric[0]}"\n`;
  const node = await start('node-1', {}, {}, member);
  const early = node.messages.request('node-2', 'slow', Buffer.alloc(0), { timeoutMs: 60_000 });
  await until('it is served', () => held.length === 1);

  const drained = server.drain();
  await until('the sender knows', () => node.members.get('node-2')?.liveness.state === 'draining');
  const waiting = new AbortController();
  const late = node.messages.request('node-2', 'slow', Buffer.alloc(0), { timeoutMs: 60_000, signal: waiting.signal });
  held[0]?.();
  assert.equal(String(await early), 'late');
  await drained;
  assert.equal(held.length, 1);
  waiting.abort();
  await assert.rejects(late, error => isSelvedgeError(error, 'message_failed') && error.facts.safeToRetry);
});

test('a node that drains answers also what it sent to itself', async t => {
  const start = await nodesOf(t);
  const node = await start('node-1', {});
  const held: (() => void)[] = [];
  node.messages.handle('slow', () => new Promise<Buffer>(resolve => held.push(() => resolve(Buffer.from('late')))));
  const served = node.messages.request('node-1', 'slow', Buffer.alloc(0), { timeoutMs: 60_000 });
  await until('it is served', () => held.length === 1);
  const justSent = node.messages.request('node-1', 'slow', Buffer.alloc(0), { timeoutMs: 60_000 });
  const drained = node.drain();
  await until('both are served', () => held.length === 2);
  for (const release of held) release();
  assert.deepEqual([String(await served), String(await justSent)], ['late', 'late']);
  await drained;
  await assert.rejects(node.messages.request('node-1', 'slow', Buffer.alloc(0)), { code: 'node_closed' });
});

test('max-streamed-call-bytes is the largest unary call that goes over the stream; with 0 none does', async t => {
  const start = await nodesOf(t);
  const server = await start('node-2', {}, { services: [{ definition, implementation }] });
  const member = `[[member]]\nname = "node-2"\naddress = "${server.ready.fabric[0]}"\n`;
  for (const [name, limit, small] of [
    ['node-1', 1_000, 'stream'],
    ['node-3', 0, 'http2'],
  ] as const) {
    const node = await start(name, { maxStreamedCallBytes: limit }, {}, member);
    // When it is answered that there is no handler, the stream is open and takes calls.
    await assert.rejects(node.messages.request('node-2', 'no-such-kind', Buffer.alloc(0)), /no_handler/);
    const client = node.client(grpc.Client, 'node-2');
    assert.deepEqual([await wayOf(client, 900), await wayOf(client, 1_000)], [small, 'http2']);
  }
});

test('batches are larger than the smallest max-message-bytes, and take no stream down with it', async t => {
  const start = await nodesOf(t);
  const small = { maxMessageBytes: 4_096 };
  const server = await start('node-2', small);
  server.messages.handle('echo', ({ payload }) => payload);
  const member = `[[member]]\nname = "node-2"\naddress = "${server.ready.fabric[0]}"\n`;
  const node = await start('node-1', small, {}, member);
  await node.messages.request('node-2', 'echo', Buffer.alloc(0), { timeoutMs: 60_000 });
  const replies = Array.from({ length: 100 }, (_, byte) =>
    node.messages.request('node-2', 'echo', Buffer.alloc(4_000, byte), { timeoutMs: 60_000 }),
  );
  for (const [byte, reply] of (await Promise.all(replies)).entries())
    assert.deepEqual(reply, Buffer.alloc(4_000, byte));
});

const { Echo } = echoDefinition;
const definition = { Echo };
const implementation = {
  /** Only over HTTP/2 there is a user agent. */
  Echo: ({ metadata }: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) =>
    reply(null, Buffer.from(metadata.get('user-agent').length > 0 ? 'http2' : 'stream')),
};

function wayOf(client: grpc.Client, bytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = Echo;
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, Buffer.alloc(bytes), (error, way) =>
      error === null ? resolve(String(way)) : reject(error),
    );
  });
}

/** Starts nodes in plaintext that are closed when the test ends. */
test('what the members file says of the labels of this node counts before its own word, here as with the others', async t => {
  const start = await nodesOf(t, { role: 'vault', rack: '7' });
  const own = '[[member]]\nname = "node-1"\naddress = "node-1.example"\nlabels = { role = "worker" }\n';
  const node = await start('node-1', {}, {}, own);
  node.messages.handle('ping', () => {});
  const reached = async (labels: Readonly<Record<string, string>>) =>
    (await node.messages.publish({ labels }, 'ping', Buffer.alloc(0))).map(delivery => delivery.node);
  assert.deepEqual(await reached({ role: 'worker', rack: '7' }), ['node-1']);
  assert.deepEqual(await reached({ role: 'vault' }), []);
});

async function nodesOf(t: TestContext, labels: Readonly<Record<string, string>> = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-limits-'));
  const nodes: FabricNode[] = [];
  t.after(async () => {
    await Promise.all(nodes.map(node => node.close()));
    await rm(directory, { recursive: true });
  });
  return async (nodeName: string, networking: NetworkingOptions, parts: FabricNodeParts = {}, members = '') => {
    const options: FabricNodeOptions = {
      clusterName: 'dev',
      nodeName,
      labels,
      dataDir: join(directory, nodeName),
      logLevel: 'silent',
      networking: { bindAddress: '127.0.0.1:0', ...networking },
    };
    const membersFile = join(directory, `${nodeName}.toml`);
    if (members !== '') await writeFile(membersFile, members);
    const membership = members === '' ? {} : { membership: { source: 'file', membersFile } as const };
    const node = await FabricNode.start({ ...options, ...membership }, parts);
    nodes.push(node);
    return node;
  };
}
