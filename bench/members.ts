import { setTimeout as sleep } from 'node:timers/promises';
import type { Benchmark, Report, RunOptions } from './kit/benchmark.ts';
import { Child } from './kit/child.ts';
import { CredentialIssuer } from './kit/credentials.ts';
import type { MembersCommands } from './kit/members-process.ts';
import type { Memory } from './kit/memory.ts';
import { NodeFiles } from './kit/node-files.ts';

const CLUSTERS = [17, 64, 200] as const;
/** The nodes of a cluster are shared out among so many processes. */
const PROCESSES = 2;
/** A multiple of the heartbeat interval. */
const WINDOW_MS = 20_000;
/** Between two heartbeats of one side of a stream, by default. */
const HEARTBEAT_INTERVAL_MS = 5_000;
/** The streams of a cluster are settled when none was opened or closed for so long: more than the longest wait between two dials. */
const SETTLED_AFTER_MS = 7_000;
const LOOK_AGAIN_MS = 500;
const DEADLINE_MS = 180_000;

type Process = Child<MembersCommands>;

interface Result {
  readonly nodes: number;
  /** Open stream ends of all nodes: a stream has two. */
  readonly ends: number;
  readonly settledAfterMs: number;
  /** Of all processes together, with members and streams beyond without. */
  readonly grown: Memory;
  /** CPU time of all processes in a second, in microseconds. */
  readonly aloneCpu: number;
  readonly cpu: number;
}

export const members: Benchmark = {
  name: 'members',
  question: 'What does an idle node cost by the number of members of its cluster: memory, heartbeats, streams?',
  run,
};

async function run({ quick, progress }: RunOptions): Promise<Report> {
  const issuer = await CredentialIssuer.create();
  const results: Result[] = [];
  for (const nodes of quick ? CLUSTERS.slice(0, 1) : CLUSTERS)
    results.push(
      await measure(nodes, quick ? HEARTBEAT_INTERVAL_MS : WINDOW_MS, issuer, text =>
        progress(`${nodes} nodes: ${text}`),
      ),
    );
  return report(results);
}

async function measure(
  nodes: number,
  windowMs: number,
  issuer: CredentialIssuer,
  progress: (text: string) => void,
): Promise<Result> {
  await using files = await NodeFiles.create(issuer);
  await using children = new Children(PROCESSES);
  const { processes } = children;
  progress('starting');
  const names = Array.from({ length: nodes }, (_, index) => `node-${String(index + 1).padStart(3, '0')}`);
  for (const name of names) await files.writeMembers(name, [{ name, address: 'https://127.0.0.1:1' }]);
  const shares = processes.map((_, at) => names.filter((__, index) => index % PROCESSES === at));
  const listed = await Promise.all(
    processes.map((process, at) =>
      process.ask(
        'start',
        (shares[at] ?? []).map(name => files.options(name)),
      ),
    ),
  );
  progress('each node alone');
  // Before memory is read: collecting garbage throws away compiled code that is seldom used.
  const aloneCpu = await cpuPerSecond(processes, windowMs);
  const alone = await memoryOf(processes);
  progress('connecting');
  const startedAt = performance.now();
  for (const name of names) await files.writeMembers(name, listed.flat());
  const { ends, at } = await settled(processes);
  progress(`${ends} stream ends`);
  const cpu = await cpuPerSecond(processes, windowMs);
  const together = await memoryOf(processes);
  if (sum(await streamsOf(processes)) !== ends)
    throw new Error('a stream was opened or closed while nothing was to happen');
  const grown = { heap: together.heap - alone.heap, resident: together.resident - alone.resident };
  return { nodes, ends, settledAfterMs: at - startedAt, grown, aloneCpu, cpu };
}

class Children implements AsyncDisposable {
  readonly processes: readonly Process[];

  constructor(count: number) {
    this.processes = Array.from({ length: count }, () => new Child<MembersCommands>('members-process.ts'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.processes.map(process => process[Symbol.asyncDispose]()));
  }
}

/** Resolves when streams are neither opened nor closed any more, with how many ends there are and since when. */
async function settled(processes: readonly Process[]): Promise<{ readonly ends: number; readonly at: number }> {
  const deadline = performance.now() + DEADLINE_MS;
  let ends = 0;
  let at = performance.now();
  while (ends === 0 || performance.now() - at < SETTLED_AFTER_MS) {
    if (performance.now() > deadline) throw new Error(`streams were not settled within ${DEADLINE_MS} ms`);
    await sleep(LOOK_AGAIN_MS);
    const now = sum(await streamsOf(processes));
    if (now !== ends) at = performance.now();
    ends = now;
  }
  return { ends, at };
}

async function streamsOf(processes: readonly Process[]): Promise<number[]> {
  return (await Promise.all(processes.map(process => process.ask('streams')))).flat();
}

async function memoryOf(processes: readonly Process[]): Promise<Memory> {
  const each = await Promise.all(processes.map(process => process.ask('memory')));
  return { heap: sum(each.map(({ heap }) => heap)), resident: sum(each.map(({ resident }) => resident)) };
}

async function cpuPerSecond(processes: readonly Process[], windowMs: number): Promise<number> {
  const cpuOf = async () => sum(await Promise.all(processes.map(process => process.ask('cpu'))));
  const startedAt = performance.now();
  const before = await cpuOf();
  await sleep(windowMs);
  return ((await cpuOf()) - before) / ((performance.now() - startedAt) / 1_000);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function report(results: readonly Result[]): Report {
  return {
    method:
      `Nodes with mutual TLS on loopback in ${PROCESSES} processes, every setting the default, no calls and no messages. ` +
      'Each begins with a members file that lists itself alone, and then gets one that lists all of them. Memory is what the ' +
      'processes have, after garbage collection, beyond what they had while each node was alone, for each end of an open peer ' +
      'stream: it includes what a node keeps of members to which it has no stream. CPU is that of an idle window of ' +
      `${WINDOW_MS / 1_000} s; that of a heartbeat, sent and received at one end, is what is beyond the CPU of the nodes while each was alone.`,
    tables: [
      {
        title: 'An idle node, by the size of its cluster',
        columns: [
          { title: 'streams of a node', unit: 'x' },
          { title: 'heap of a stream end', unit: 'KiB' },
          { title: 'resident memory of a stream end', unit: 'KiB' },
          { title: 'CPU of a node in a second, alone', unit: 'us' },
          { title: 'among members', unit: 'us' },
          { title: 'CPU of a heartbeat', unit: 'us' },
          { title: 'all streams open after', unit: 'ms' },
        ],
        rows: results.map(({ nodes, ends, settledAfterMs, grown, aloneCpu, cpu }) => ({
          name: `${nodes} members`,
          cells: [
            ends / nodes,
            grown.heap / 1_024 / ends,
            grown.resident / 1_024 / ends,
            aloneCpu / nodes,
            cpu / nodes,
            (cpu - aloneCpu) / (ends / (HEARTBEAT_INTERVAL_MS / 1_000)),
            settledAfterMs,
          ],
        })),
      },
    ],
  };
}
