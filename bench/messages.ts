import type { Benchmark, Report, RunOptions, Table } from './kit/benchmark.ts';
import type { Mixed } from './kit/message-sender-process.ts';
import { type MessageWay, type MixedWay, openMessageWays } from './kit/message-ways.ts';
import { median, medianRatio, quantile } from './kit/statistics.ts';

/** How many messages are in flight at a time, and how many make a sample of a bare unary call. */
const LOADS = [
  { inFlight: 1, messages: 100 },
  { inFlight: 64, messages: 1_280 },
  { inFlight: 1_024, messages: 2_048 },
] as const;

/** Of each way and load: the first two cost up to three times what the later ones do. */
const WARM_UP_SAMPLES = 4;

/** Large payloads that are under way all the time, beside small ones. */
const LARGE = [
  { title: '64 KiB, 8 at a time', bytes: 65_536, atOnce: 8 },
  { title: '1 MiB, 2 at a time', bytes: 1_048_576, atOnce: 2 },
] as const;

/** One way under one load in one round. */
interface Sample {
  /** Messages per CPU-second of both sides. */
  readonly rate: number;
  /** In milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

export const messages: Benchmark = {
  name: 'messages',
  question: 'What does a message between two nodes cost, beside a bare unary call and a bare TLS socket?',
  run,
};

async function run({ quick, progress }: RunOptions): Promise<Report> {
  const rounds = quick ? 2 : 10;
  const mixedRounds = quick ? 1 : 5;
  await using opened = await openMessageWays();
  const { ways, mixed } = opened;
  progress('warming up');
  for (let turn = 0; turn < WARM_UP_SAMPLES; turn += 1)
    for (const way of ways) for (const load of LOADS) await sample(way, load);
  const samples = LOADS.map(() => ways.map((): Sample[] => []));
  for (let round = 0; round < rounds; round += 1) {
    progress(`round ${round + 1} of ${rounds}`);
    for (const [at, load] of LOADS.entries())
      for (const which of inTurn(round, ways.length)) {
        const way = ways[which];
        if (way !== undefined) samples[at]?.[which]?.push(await sample(way, load));
      }
  }
  const mixedSamples = LARGE.map(() => mixed.map((): Mixed[] => []));
  for (let round = 0; round < mixedRounds; round += 1) {
    progress(`large payloads, round ${round + 1} of ${mixedRounds}`);
    for (const [at, large] of LARGE.entries())
      for (const which of inTurn(round, mixed.length)) {
        const way = mixed[which];
        if (way !== undefined) mixedSamples[at]?.[which]?.push(await way.mix(large));
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
  { move, share }: MessageWay,
  { inFlight, messages: count }: (typeof LOADS)[number],
): Promise<Sample> {
  const { count: moved, cpu, p50, p99 } = await move(count * share, inFlight);
  return { rate: (moved / cpu) * 1e6, p50, p99 };
}

function methodOf(rounds: number, mixedRounds: number): string {
  return (
    'Messages of 128 bytes, and as many back but for one-way ones, over mutual TLS 1.3 between two processes for each ' +
    'way, one connection each. A bare unary call is grpc-js without anything of ours; a bare TLS socket carries all messages that ' +
    'are in flight in one write and has them echoed: the limit of what batching can reach. One sender of eight looks at the clock. CPU is that of both processes, the ' +
    `benchmark's own included; a sample of each way has as many messages as take about as much CPU. Rounds: ${rounds}, in each every way in turn; for large payloads ${mixedRounds}. A figure is ` +
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

function mixedTable(title: string, mixed: readonly MixedWay[], samples: readonly (readonly Mixed[])[]): Table {
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
