// A rolling upgrade of a cluster under load: three nodes go from plain to optional, to strict, and all the way back,
// one node at a time, while every node calls every other with unary, server-streaming and bidirectional calls.
//
//   npm run rolling-upgrade                  both ways of changing the mode
//   npm run rolling-upgrade -- --by edit     by editing the config of running nodes
//   npm run rolling-upgrade -- --by restart  by restarting them with drain
//   npm run rolling-upgrade -- --up          to strict, and not back
//
// Ends with a table, and with exit code 1 if any call failed.
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { NodeStatus } from '../src/rpc/control-messages.ts';
import { AdminPolling } from './kit/admin-polling.ts';
import { until } from './kit/until.ts';
import { type Mode, UpgradeCluster } from './kit/upgrade-cluster.ts';

const LADDER: readonly Mode[] = ['optional', 'strict', 'optional', 'plain'];
const RUNGS_UP = 2;
/** Load runs at least this long between two changes. */
const BETWEEN_MS = 500;

const WAYS = ['edit', 'restart'] as const;
type Way = (typeof WAYS)[number];

interface Row {
  readonly step: string;
  readonly calls: number;
  readonly failed: number;
  readonly cut: number;
  readonly mutualTls: number;
  readonly plaintext: number;
}

let failedCalls = 0;
const { ways, ladder } = asked();
for (const way of ways) failedCalls += await upgrade(way, ladder);
process.exit(failedCalls === 0 ? 0 : 1);

function asked(): { readonly ways: readonly Way[]; readonly ladder: readonly Mode[] } {
  try {
    const { by, up } = parseArgs({ options: { by: { type: 'string' }, up: { type: 'boolean' } } }).values;
    const ways = WAYS.filter(way => by === undefined || by === way);
    if (ways.length > 0) return { ways, ladder: up === true ? LADDER.slice(0, RUNGS_UP) : LADDER };
  } catch {
    // Said below, like every other way to call it wrongly.
  }
  console.error('usage: npm run rolling-upgrade [-- [--by edit|restart] [--up]]');
  process.exit(2);
}

async function upgrade(way: Way, ladder: readonly Mode[]): Promise<number> {
  console.log(
    `\nRolling upgrade by ${way === 'edit' ? 'editing the config of running nodes' : 'restarting nodes with drain'}`,
  );
  const cluster = await UpgradeCluster.start({ mode: 'plain' });
  const rows: Row[] = [];
  const admin = new AdminPolling(cluster);
  try {
    await until('the cluster to connect', () => everybodyConnected(cluster));
    await wait(BETWEEN_MS);
    rows.push(await rowOf(cluster, 'all plain'));
    for (const [index, mode] of ladder.entries()) {
      for (const node of cluster.nodes) {
        // A plain node without [networking.tls] has no credentials to be asked about yet.
        if (node.mode !== 'plain')
          await until(`preflight of ${node.name} to ${mode}`, async () => (await cluster.preflight(node, mode)).ready);
        console.log(`  ${node.name} -> ${mode}`);
        if (way === 'edit') await cluster.editLive(node, mode);
        else await cluster.restart(node, mode);
        await until(`${node.name} to be ${mode}`, async () => (await cluster.status(node)).mode === mode);
        await until('the cluster to connect', () => everybodyConnected(cluster));
        await wait(BETWEEN_MS);
      }
      await until(`the connections of ${mode}`, async () => isSettled(mode, await statuses(cluster)));
      // The last row is that of all calls, so the load ends before it.
      if (index === ladder.length - 1) await cluster.stopLoad();
      rows.push(await rowOf(cluster, `all ${mode}${index >= RUNGS_UP ? ' again' : ''}`));
    }
  } finally {
    admin.stop();
    const codes = await cluster.stop();
    if (codes.some(code => code !== 0)) console.log(`  nodes ended with ${codes.join(', ')}`);
  }
  return report(cluster, rows, admin);
}

function report(cluster: UpgradeCluster, rows: readonly Row[], admin: AdminPolling): number {
  const totals = cluster.totals();
  const cells = rows.map(row => [row.step, row.calls, row.failed, row.cut, row.mutualTls, row.plaintext].map(String));
  const header = ['STEP', 'CALLS', 'FAILED', 'STREAMS CUT', 'MUTUAL TLS', 'PLAINTEXT'];
  const widths = header.map((title, column) => Math.max(title.length, ...cells.map(row => row[column]?.length ?? 0)));
  console.log('');
  for (const row of [header, ...cells])
    console.log(`  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   ')}`);
  console.log(
    `\n  ${totals.unary} unary, ${totals.serverStreaming} server-streaming, ${totals.bidirectional} bidirectional calls: ${totals.failed} failed`,
  );
  console.log(`  ${totals.cut} open-ended streams outlived a drain and were cut with its reason`);
  console.log(`  ${admin.polls} polls by an admin client: ${admin.failed} failed`);
  for (const failure of totals.failures) console.log(`  ! ${failure}`);
  return totals.failed + admin.failed;
}

async function everybodyConnected(cluster: UpgradeCluster): Promise<boolean> {
  return (await statuses(cluster)).every(status => status.peers.every(peer => peer.state === 'connected'));
}

function statuses(cluster: UpgradeCluster): Promise<readonly NodeStatus[]> {
  return Promise.all(cluster.nodes.map(node => cluster.status(node)));
}

function isSettled(mode: Mode, all: readonly NodeStatus[]): boolean {
  const inbound = (count: 'inboundMutualTls' | 'inboundNone') =>
    all.reduce((sum, status) => sum + (status.connections?.[count] ?? 0), 0);
  return inbound(mode === 'plain' ? 'inboundMutualTls' : 'inboundNone') === 0;
}

async function rowOf(cluster: UpgradeCluster, step: string): Promise<Row> {
  const all = await statuses(cluster);
  const { unary, serverStreaming, bidirectional, failed, cut } = cluster.totals();
  const sum = (count: (status: NodeStatus) => number) => all.reduce((total, status) => total + count(status), 0);
  return {
    step,
    calls: unary + serverStreaming + bidirectional,
    failed,
    cut,
    mutualTls: sum(status => status.connections?.outboundMutualTls ?? 0),
    plaintext: sum(status => status.connections?.outboundNone ?? 0),
  };
}
