import type * as grpc from '@grpc/grpc-js';
import { parsePattern } from '../src/identity/subject-name-pattern.ts';
import { constant } from '../src/lifecycle/observable-value.ts';
import type { Benchmark, Report, RunOptions } from './kit/benchmark.ts';
import { Child } from './kit/child.ts';
import { bareClient, credentialsClient, memberClient, openConnector } from './kit/clients.ts';
import { CredentialIssuer, SUBJECT_NAME, snapshotOf } from './kit/credentials.ts';
import { echo } from './kit/echo.ts';
import type { ServerCommands } from './kit/server-process.ts';
import { median, medianRatio, quantile } from './kit/statistics.ts';
import { cpuMicros, timeConcurrently } from './kit/timing.ts';

/** How many calls are under way at a time, and how many make a sample. */
const LOADS = [
  { concurrency: 1, calls: 300 },
  { concurrency: 64, calls: 1_280 },
] as const;

interface Contender {
  readonly name: string;
  readonly client: grpc.Client;
}

/** One contender under one load in one round. */
interface Sample {
  /** CPU time of both sides for one call, in microseconds. */
  readonly cpu: number;
  /** In milliseconds. */
  readonly latencies: readonly number[];
}

export const calls: Benchmark = {
  name: 'calls',
  question: 'What does a unary call cost over our credentials and over the fabric, beside bare grpc-js?',
  run,
};

async function run({ quick, progress }: RunOptions): Promise<Report> {
  const rounds = quick ? 2 : 30;
  await using server = new Child<ServerCommands>('server-process.ts');
  const { contenders, close } = await openContenders(server);
  try {
    const samples = LOADS.map(() => contenders.map((): Sample[] => []));
    progress('warming up');
    for (const { client } of contenders) for (const load of LOADS) await sample(server, client, load);
    for (let round = 0; round < rounds; round += 1) {
      progress(`round ${round + 1} of ${rounds}`);
      for (const [at, load] of LOADS.entries())
        for (let turn = 0; turn < contenders.length; turn += 1) {
          // Each begins a round as often as the others.
          const which = (round + turn) % contenders.length;
          const contender = contenders[which];
          if (contender !== undefined) samples[at]?.[which]?.push(await sample(server, contender.client, load));
        }
    }
    return report(contenders, samples, rounds);
  } finally {
    close();
  }
}

async function openContenders(
  server: Child<ServerCommands>,
): Promise<{ readonly contenders: readonly Contender[]; readonly close: () => void }> {
  const issuer = await CredentialIssuer.create();
  const [ofServer, ofClient] = [await issuer.issue(), await issuer.issue()];
  const trust = constant(snapshotOf(ofClient));
  const nodeIdentity = () => parsePattern(`uri:${SUBJECT_NAME}`);
  const connector = openConnector(await server.ask('start', 'fabric', ofServer), trust, nodeIdentity);
  const contenders = [
    { name: 'bare grpc-js', client: bareClient(await server.ask('start', 'bare', ofServer), ofClient) },
    {
      name: 'bare grpc-js, default options',
      client: bareClient(await server.ask('start', 'bare_defaults', ofServer), ofClient, {}),
    },
    {
      name: 'our credentials on grpc-js',
      client: credentialsClient(await server.ask('start', 'credentials', ofServer), trust),
    },
    { name: 'fabric: names, policy, audit', client: memberClient(connector, 'node-1') },
  ];
  const close = () => {
    for (const { client } of contenders) client.close();
    connector.close();
  };
  return { contenders, close };
}

async function sample(
  server: Child<ServerCommands>,
  client: grpc.Client,
  { concurrency, calls: count }: (typeof LOADS)[number],
): Promise<Sample> {
  const serverBefore = await server.ask('cpu');
  const clientBefore = cpuMicros();
  const latencies = await timeConcurrently(count, concurrency, () => echo(client));
  const cpu = cpuMicros() - clientBefore + (await server.ask('cpu')) - serverBefore;
  return { cpu: cpu / latencies.length, latencies };
}

function report(
  contenders: readonly Contender[],
  samples: readonly (readonly (readonly Sample[])[])[],
  rounds: number,
): Report {
  return {
    method:
      'Unary calls over mutual TLS 1.3, 128 bytes each way, the servers in one process and the clients in another, one ' +
      'connection each, channelz and retries off for all but the default options. ' +
      `Rounds: ${rounds}, in each every contender in turn. ` +
      'CPU is that of both processes. A figure is the median over the rounds; a ratio is the median over the rounds of ' +
      'contender / bare grpc-js.',
    tables: LOADS.map(({ concurrency, calls: count }, at) => {
      const figures = (of: number, figure: (sample: Sample) => number) => (samples[at]?.[of] ?? []).map(figure);
      return {
        title: `${concurrency === 1 ? 'One call' : `${concurrency} calls`} at a time, ${count} a round`,
        columns: [
          { title: 'CPU, both sides', unit: 'us' },
          { title: '/ bare', unit: 'x' },
          { title: 'latency', unit: 'ms' },
          { title: '/ bare', unit: 'x' },
          { title: 'latency p99', unit: 'ms' },
        ],
        rows: contenders.map(({ name }, of) => {
          const compared = (figure: (sample: Sample) => number) => [
            median(figures(of, figure)),
            medianRatio(figures(of, figure), figures(0, figure)),
          ];
          return {
            name,
            cells: [
              ...compared(({ cpu }) => cpu),
              ...compared(({ latencies }) => median(latencies)),
              median(figures(of, ({ latencies }) => quantile(latencies, 0.99))),
            ],
          };
        }),
      };
    }),
  };
}
