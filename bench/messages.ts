import { setTimeout as sleep } from 'node:timers/promises';
import type { Benchmark, Report, RunOptions, Table } from './kit/benchmark.ts';
import { Child } from './kit/child.ts';
import { type MessageWay, type MixedWay, openMessageWays } from './kit/message-ways.ts';
import type { MessagesCommands } from './kit/messages-process.ts';
import { median, medianRatio, quantile } from './kit/statistics.ts';
import { cpuMicros, timeEach } from './kit/timing.ts';

/** How many messages are in flight at a time, and how many make a sample of a bare unary call. */
const LOADS = [
  { inFlight: 1, messages: 200 },
  { inFlight: 64, messages: 1_280 },
  { inFlight: 1_024, messages: 2_048 },
] as const;

/** Large payloads that are under way all the time, beside small ones. */
const LARGE = [
  { title: '64 KiB, 8 at a time', bytes: 65_536, atOnce: 8 },
  { title: '1 MiB, 2 at a time', bytes: 1_048_576, atOnce: 2 },
] as const;
const SMALL_MESSAGES = 100;
const PAUSE_MS = 2;

/** One way under one load in one round. */
interface Sample {
  /** Messages per CPU-second of both sides. */
  readonly rate: number;
  /** In milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Small messages without large ones beside them, and with. */
interface MixedSample {
  readonly alone: readonly number[];
  readonly beside: readonly number[];
  /** MiB of large payloads a second, each way. */
  readonly throughput: number;
}

export const messages: Benchmark = {
  name: 'messages',
  question: 'What does a message between two nodes cost, beside a bare unary call and a bare TLS socket?',
  run,
};

async function run({ quick, progress }: RunOptions): Promise<Report> {
  const rounds = quick ? 2 : 20;
  const mixedRounds = quick ? 1 : 10;
  await using server = new Child<MessagesCommands>('messages-process.ts');
  await using opened = await openMessageWays(server);
  const { ways, mixed } = opened;
  progress('warming up');
  for (const way of ways) for (const load of LOADS) await sample(server, way, load);
  const samples = LOADS.map(() => ways.map((): Sample[] => []));
  for (let round = 0; round < rounds; round += 1) {
    progress(`round ${round + 1} of ${rounds}`);
    for (const [at, load] of LOADS.entries())
      for (const which of inTurn(round, ways.length)) {
        const way = ways[which];
        if (way !== undefined) samples[at]?.[which]?.push(await sample(server, way, load));
      }
  }
  const mixedSamples = LARGE.map(() => mixed.map((): MixedSample[] => []));
  for (let round = 0; round < mixedRounds; round += 1) {
    progress(`large payloads, round ${round + 1} of ${mixedRounds}`);
    for (const [at, large] of LARGE.entries())
      for (const which of inTurn(round, mixed.length)) {
        const way = mixed[which];
        if (way !== undefined) mixedSamples[at]?.[which]?.push(await sampleMixed(way, large));
      }
  }
  return {
    method: methodOf(rounds, mixedRounds),
    tables: [
      ...LOADS.map(({ inFlight }, at) => rateTable(inFlight, ways, samples[at] ?? [])),
      ...LARGE.map(({ title }, at) => mixedTable(title, mixed, mixedSamples[at] ?? [])),
    ],
  };
}

/** Each begins a round as often as the others. */
function inTurn(round: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, turn) => (round + turn) % count);
}

async function sample(
  server: Child<MessagesCommands>,
  { move, share }: MessageWay,
  { inFlight, messages: count }: (typeof LOADS)[number],
): Promise<Sample> {
  const serverBefore = await server.ask('cpu');
  const clientBefore = cpuMicros();
  const moved = await move(count * share, inFlight);
  const clientCpu = cpuMicros() - clientBefore;
  const cpu = clientCpu + (await server.ask('cpu')) - serverBefore;
  return { rate: (moved.count / cpu) * 1e6, p50: median(moved.latencies), p99: quantile(moved.latencies, 0.99) };
}

async function sampleMixed(way: MixedWay, { bytes, atOnce }: (typeof LARGE)[number]): Promise<MixedSample> {
  const payload = Buffer.alloc(bytes, 'y');
  const small = async () => {
    const times: number[] = [];
    for (let sent = 0; sent < SMALL_MESSAGES; sent += 1) {
      times.push(...(await timeEach(1, () => way.small())));
      await sleep(PAUSE_MS);
    }
    return times;
  };
  const alone = await small();
  let moved = 0;
  let stopping = false;
  const startedAt = performance.now();
  const streams = Array.from({ length: atOnce }, async () => {
    while (!stopping) {
      await way.large(payload);
      moved += bytes;
    }
  });
  const beside = await small();
  stopping = true;
  await Promise.all(streams);
  return { alone, beside, throughput: moved / 1_048_576 / ((performance.now() - startedAt) / 1_000) };
}

function methodOf(rounds: number, mixedRounds: number): string {
  return (
    'Messages of 128 bytes, and as many back but for one-way ones, over mutual TLS 1.3 between two processes, one ' +
    'connection each. A bare unary call is grpc-js without anything of ours; a bare TLS socket carries all messages that ' +
    'are in flight in one write and has them echoed: the limit of what batching can reach. One sender of eight looks at the clock. CPU is that of both processes, the ' +
    `benchmark's own included. Rounds: ${rounds}, in each every way in turn; for large payloads ${mixedRounds}. A figure is ` +
    'the median over the rounds; a ratio is the median of those within a round. An aim stands beside what was reached.'
  );
}

function rateTable(inFlight: number, ways: readonly MessageWay[], samples: readonly (readonly Sample[])[]): Table {
  const figures = (of: number, figure: (sample: Sample) => number) => (samples[of] ?? []).map(figure);
  const rates = (of: number) => figures(of, ({ rate }) => rate);
  return {
    title: `${inFlight === 1 ? 'One message' : `${inFlight} messages`} in flight`,
    columns: [
      { title: 'messages a CPU-second', unit: 'count' },
      { title: '/ bare unary', unit: 'x' },
      { title: 'aim', unit: 'count' },
      { title: '/ socket', unit: '%' },
      { title: 'aim', unit: '%' },
      { title: 'latency', unit: 'ms' },
      { title: 'latency p99', unit: 'ms' },
    ],
    rows: ways.map(({ name, aims, socketAims }, of) => ({
      name,
      cells: [
        median(rates(of)),
        medianRatio(rates(of), rates(0)),
        aims?.[inFlight],
        medianRatio(rates(of), rates(ways.length - 1)) * 100,
        socketAims?.[inFlight],
        median(figures(of, ({ p50 }) => p50)),
        median(figures(of, ({ p99 }) => p99)),
      ],
    })),
  };
}

function mixedTable(title: string, mixed: readonly MixedWay[], samples: readonly (readonly MixedSample[])[]): Table {
  return {
    title: `Small messages, one at a time, beside large payloads: ${title}`,
    columns: [
      { title: 'latency alone', unit: 'ms' },
      { title: 'p99', unit: 'ms' },
      { title: 'beside large ones', unit: 'ms' },
      { title: 'p99', unit: 'ms' },
      { title: '/ alone', unit: 'x' },
      { title: 'large payloads each way in a second, MiB', unit: 'count' },
    ],
    rows: mixed.map(({ name }, of) => {
      const all = samples[of] ?? [];
      const [alone, beside] = [all.map(each => median(each.alone)), all.map(each => median(each.beside))];
      return {
        name,
        cells: [
          median(alone),
          median(all.map(each => quantile(each.alone, 0.99))),
          median(beside),
          median(all.map(each => quantile(each.beside, 0.99))),
          medianRatio(beside, alone),
          median(all.map(each => each.throughput)),
        ],
      };
    }),
  };
}
