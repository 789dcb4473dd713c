import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FabricNode } from '../../src/node/fabric-node.ts';
import type { FabricNodeOptions } from '../../src/node/node-options.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { until } from '../kit/until.ts';
import { closedPort, peerOnce, TestCluster } from './test-cluster.ts';

test('a node that turns plain while it serves a message answers it over the stream in plaintext', async t => {
  const cluster = await TestCluster.make(t);
  const port = await closedPort();
  const start = async (name: string, bindAddress: string, members: Parameters<typeof cluster.nodeOptions>[2]) => {
    const { networking = {}, ...rest } = await cluster.nodeOptions(name, 'optional', members);
    const options: FabricNodeOptions = { ...rest, networking: { ...networking, bindAddress } };
    const node = await FabricNode.start(options, { logger: silentLogger });
    t.after(() => node.close());
    return { node, options };
  };
  // What node-2 knows of node-1 is of no use: it is node-1 that dials.
  const { node: two, options } = await start('node-2', `127.0.0.1:${port}`, [
    ['node-1', `127.0.0.1:${await closedPort()}`],
  ]);
  const { node: one } = await start('node-1', '127.0.0.1:0', [['node-2', `127.0.0.1:${port}`]]);
  await peerOnce(one, 'node-2', ({ security }) => security === 'mutual_tls');

  const held: (() => void)[] = [];
  two.messages.handle('slow', () => new Promise<Buffer>(resolve => held.push(() => resolve(Buffer.from('done')))));
  const reply = one.messages.request('node-2', 'slow', Buffer.alloc(0), { timeoutMs: 120_000 });
  await until('it is served', () => held.length === 1);
  const { tls: _, ...plain } = options.networking ?? {};
  await two.reload({ ...options, networking: plain });
  await peerOnce(one, 'node-2', ({ state, security }) => state === 'connected' && security === 'none');
  held[0]?.();
  assert.equal(String(await reply), 'done');
});
