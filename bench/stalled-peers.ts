import { constant } from '../src/lifecycle/observable-value.ts';
import type { Benchmark, Report, RunOptions } from './kit/benchmark.ts';
import { Child } from './kit/child.ts';
import { memberClient, openConnector } from './kit/clients.ts';
import { CredentialIssuer, snapshotOf } from './kit/credentials.ts';
import { echo } from './kit/echo.ts';
import type { ServerCommands } from './kit/server-process.ts';
import type { StallingCommands } from './kit/stalling-process.ts';
import { median, medianRatio, quantile } from './kit/statistics.ts';
import { timeEach } from './kit/timing.ts';

const SILENT = 1_000;
const HALF_HANDSHAKES = 200;
const CONNECTS = 40;
const CALLS = 400;

/** In the order of a round. */
const PHASES = ['quiet', 'held open', 'given up', 'quiet again'] as const;
type Phase = (typeof PHASES)[number];

/** What the well-behaved client and the server saw during one phase of one round. */
interface Sample {
  /** Times of a new channel and its first call, in milliseconds. */
  readonly connects: readonly number[];
  /** Times of calls over an open channel, in milliseconds. */
  readonly calls: readonly number[];
  /** CPU time of the server for one connect, in milliseconds. */
  readonly cpuOfConnect: number;
  /** CPU time of the server for one call, in milliseconds. */
  readonly cpuOfCall: number;
}

interface Round {
  readonly samples: Readonly<Record<Phase, Sample>>;
  /** Stalled connections that the listener had dropped once all were there, to stay under its cap. */
  readonly dropped: number;
  /** Stalled connections that were still open after the client was measured among them. */
  readonly held: number;
  /** CPU time of the server to take all stalled connections in, in milliseconds. */
  readonly cpuOfTakingIn: number;
}

export const stalledPeers: Benchmark = {
  name: 'stalled-peers',
  question: 'Do silent connections and stalled handshakes slow down a client that behaves?',
  run,
};

async function run({ quick, progress }: RunOptions): Promise<Report> {
  const rounds: Round[] = [];
  const count = quick ? 1 : 6;
  await using server = new Child<ServerCommands>('server-process.ts');
  await using stalling = new Child<StallingCommands>('stalling-process.ts');
  const issuer = await CredentialIssuer.create();
  const port = await server.ask('start', 'fabric', await issuer.issue());
  const client = new GoodClient(port, server, snapshotOf(await issuer.issue()));
  progress('warming up');
  await client.measure();
  for (let round = 1; round <= count; round += 1) {
    progress(`round ${round} of ${count}`);
    rounds.push(await runRound(port, client, server, stalling));
  }
  return report(rounds, await server.ask('refused'));
}

async function runRound(
  port: number,
  client: GoodClient,
  server: Child<ServerCommands>,
  stalling: Child<StallingCommands>,
): Promise<Round> {
  const quiet = await client.measure();
  const [cpuBefore, droppedBefore] = [await server.ask('cpu'), await droppedBy(server)];
  await stalling.ask('open', port, SILENT, HALF_HANDSHAKES);
  // Connections are accepted in the order they came: now that this one was, all are.
  await client.connect();
  const cpuOfTakingIn = ((await server.ask('cpu')) - cpuBefore) / 1_000;
  const dropped = (await droppedBy(server)) - droppedBefore;
  const heldOpen = await client.measure();
  const held = await stalling.ask('count');
  // The deadlines of the listener begin to pass.
  await stalling.ask('fallenTo', held - 1);
  const givenUp = await client.measure();
  await stalling.ask('fallenTo', 0);
  const quietAgain = await client.measure();
  const samples = { quiet, 'held open': heldOpen, 'given up': givenUp, 'quiet again': quietAgain };
  return { samples, dropped, held, cpuOfTakingIn };
}

async function droppedBy(server: Child<ServerCommands>): Promise<number> {
  return (await server.ask('refused')).too_many_connections ?? 0;
}

/** Connects and calls as a node does, and fails where it is not served. */
class GoodClient {
  readonly #port: number;
  readonly #server: Child<ServerCommands>;
  readonly #trust: Parameters<typeof openConnector>[1];

  constructor(port: number, server: Child<ServerCommands>, snapshot: ReturnType<typeof snapshotOf>) {
    this.#port = port;
    this.#server = server;
    this.#trust = constant(snapshot);
  }

  /** One call over a new connection. */
  async connect(): Promise<void> {
    const connector = openConnector(this.#port, this.#trust);
    try {
      await echo(memberClient(connector, 'node-1'));
    } finally {
      connector.close();
    }
  }

  async measure(): Promise<Sample> {
    const [connects, cpuOfConnect] = await this.#withCpu(CONNECTS, () => this.connect());
    const connector = openConnector(this.#port, this.#trust);
    try {
      const client = memberClient(connector, 'node-1');
      await echo(client);
      const [calls, cpuOfCall] = await this.#withCpu(CALLS, () => echo(client));
      return { connects, calls, cpuOfConnect, cpuOfCall };
    } finally {
      connector.close();
    }
  }

  async #withCpu(count: number, action: () => Promise<void>): Promise<[number[], number]> {
    const before = await this.#server.ask('cpu');
    const times = await timeEach(count, action);
    return [times, ((await this.#server.ask('cpu')) - before) / count / 1_000];
  }
}

function report(rounds: readonly Round[], refused: Readonly<Record<string, number>>): Report {
  const each = (phase: Phase, figure: (sample: Sample) => number) =>
    rounds.map(({ samples }) => figure(samples[phase]));
  const rows = PHASES.map(phase => {
    const compared = (figure: (sample: Sample) => number) => {
      const values = each(phase, figure);
      return [median(values), medianRatio(values, each('quiet', figure))];
    };
    const worst = Math.max(...each(phase, ({ connects }) => Math.max(...connects)));
    const slowCall = median(each(phase, ({ calls }) => quantile(calls, 0.99)));
    return {
      name: phase,
      cells: [
        ...compared(({ connects }) => median(connects)),
        worst,
        ...compared(({ calls }) => median(calls)),
        slowCall,
        ...compared(({ cpuOfConnect }) => cpuOfConnect),
        ...compared(({ cpuOfCall }) => cpuOfCall),
      ],
    };
  });
  return {
    method:
      `A strict fabric listener with default limits in one process, ${SILENT} silent connections and ${HALF_HANDSHAKES} halves ` +
      `of a ClientHello from a second, a client in a third. Rounds: ${rounds.length}, each through all phases: ${CONNECTS} connects ` +
      `(new channel, first call) and ${CALLS} calls a phase, one after the other. A figure is the median over the rounds of the ` +
      'median within a round; a ratio is the median over the rounds of phase / quiet. Every connect and call succeeded.',
    tables: [
      {
        title: 'The client that behaves',
        columns: [
          { title: 'connect', unit: 'ms' },
          { title: '/ quiet', unit: 'x' },
          { title: 'slowest', unit: 'ms' },
          { title: 'call', unit: 'ms' },
          { title: '/ quiet', unit: 'x' },
          { title: 'call p99', unit: 'ms' },
          { title: 'server CPU, connect', unit: 'ms' },
          { title: '/ quiet', unit: 'x' },
          { title: 'server CPU, call', unit: 'ms' },
          { title: '/ quiet', unit: 'x' },
        ],
        rows,
      },
      {
        title: 'The stalled peers, a round',
        columns: [
          { title: 'opened', unit: 'count' },
          { title: 'dropped at once, the oldest', unit: 'count' },
          { title: 'held while the client was measured', unit: 'count' },
          { title: 'server CPU to take them in', unit: 'ms' },
        ],
        rows: [
          {
            name: 'median',
            cells: [
              SILENT + HALF_HANDSHAKES,
              median(rounds.map(({ dropped }) => dropped)),
              median(rounds.map(({ held }) => held)),
              median(rounds.map(({ cpuOfTakingIn }) => cpuOfTakingIn)),
            ],
          },
        ],
      },
      {
        title: 'Refusals, all rounds together',
        columns: [{ title: 'refused', unit: 'count' }],
        rows: Object.entries(refused).map(([name, value]) => ({ name, cells: [value] })),
      },
    ],
  };
}
