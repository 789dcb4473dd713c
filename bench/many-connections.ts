import type * as grpc from '@grpc/grpc-js';
import { MutableValue } from '../src/lifecycle/observable-value.ts';
import type { Benchmark, Report, RunOptions, Table } from './kit/benchmark.ts';
import { Child } from './kit/child.ts';
import { bareClient, credentialsClient, memberClient, openConnector } from './kit/clients.ts';
import { CredentialIssuer, type CredentialPems, snapshotOf } from './kit/credentials.ts';
import { echo } from './kit/echo.ts';
import type { ServerKind } from './kit/echo-servers.ts';
import type { Memory } from './kit/memory.ts';
import type { LoopDelay, Rotation, ServerCommands } from './kit/server-process.ts';
import { median } from './kit/statistics.ts';

const CONNECTIONS = 500;
/** Opened and closed before memory is read first, so that what is only ever loaded once does not count. */
const WARM_UP = 50;
/** Clients that connect at the same time. */
const AT_ONCE = 20;

const KINDS: readonly { readonly kind: ServerKind; readonly name: string }[] = [
  { kind: 'bare', name: 'bare grpc-js' },
  { kind: 'credentials', name: 'our credentials on grpc-js' },
  { kind: 'fabric', name: 'FabricListener' },
];

/** Clients that share what they were opened with. */
interface Clients {
  readonly clients: readonly grpc.Client[];
  /** Gives them new credentials. */
  rotate(credentials: CredentialPems): void;
  /** How many connections were made since a point in time and are open; undefined where the clients keep no list. */
  openSince?(time: Date): { readonly fresh: number; readonly all: number };
  close(): void;
}

/** The event loop of the server in one round. */
interface Round {
  readonly before: LoopDelay;
  readonly rotation: Rotation;
  readonly afterServer: LoopDelay;
  /** Where the clients dial anew with new credentials. */
  readonly redial?: { readonly delay: LoopDelay; readonly seconds: number };
}

interface Result {
  readonly name: string;
  readonly empty: Memory;
  readonly full: Memory;
  readonly rounds: readonly Round[];
}

export const manyConnections: Benchmark = {
  name: 'many-connections',
  question: `What do ${CONNECTIONS} connections cost one listener, and what does a change of credentials do to them?`,
  run,
};

async function run({ quick, progress }: RunOptions): Promise<Report> {
  const issuer = await CredentialIssuer.create();
  const results: Result[] = [];
  for (const { kind, name } of KINDS) {
    progress(name);
    results.push({ name, ...(await measure(kind, issuer, quick ? 1 : 3)) });
  }
  return report(results);
}

async function measure(kind: ServerKind, issuer: CredentialIssuer, rounds: number): Promise<Omit<Result, 'name'>> {
  await using server = new Child<ServerCommands>('server-process.ts');
  const port = await server.ask('start', kind, await issuer.issue());
  const credentials = await issuer.issue();
  const warmUp = await openClients(kind, port, credentials, WARM_UP);
  warmUp.close();
  const empty = await server.ask('memory');
  const clients = await openClients(kind, port, credentials, CONNECTIONS);
  try {
    const full = await server.ask('memory');
    const seen: Round[] = [];
    // A bare server takes no new credentials.
    for (let round = 0; kind !== 'bare' && round < rounds; round += 1) seen.push(await rotate(server, clients, issuer));
    return { empty, full, rounds: seen };
  } finally {
    clients.close();
  }
}

async function openClients(
  kind: ServerKind,
  port: number,
  credentials: CredentialPems,
  count: number,
): Promise<Clients> {
  const opened = clientsOf(kind, port, credentials, count);
  for (let from = 0; from < count; from += AT_ONCE)
    await Promise.all(opened.clients.slice(from, from + AT_ONCE).map(client => echo(client)));
  return opened;
}

function clientsOf(kind: ServerKind, port: number, credentials: CredentialPems, count: number): Clients {
  const trust = new MutableValue(snapshotOf(credentials));
  const many = (open: (index: number) => grpc.Client) => Array.from({ length: count }, (_, index) => open(index));
  const rotate = (next: CredentialPems) => trust.set(snapshotOf(next));
  if (kind === 'fabric') {
    const connector = openConnector(port, trust);
    return {
      clients: many(index => memberClient(connector, `node-${index}`)),
      rotate,
      openSince: time => {
        const all = connector.connections;
        return { fresh: all.filter(({ openedAt }) => openedAt >= time).length, all: all.length };
      },
      close: () => connector.close(),
    };
  }
  const clients = many(() => (kind === 'bare' ? bareClient(port, credentials) : credentialsClient(port, trust)));
  return {
    clients,
    rotate,
    close: () => {
      for (const client of clients) client.close();
    },
  };
}

async function rotate(server: Child<ServerCommands>, clients: Clients, issuer: CredentialIssuer): Promise<Round> {
  const watch = async (during: () => Promise<unknown>): Promise<LoopDelay> => {
    await server.ask('watchLoop');
    await during();
    return server.ask('loopDelay');
  };
  const before = await watch(() => callAll(clients));
  const ofServer = await issuer.issue();
  let rotation: Rotation = { check: 0, publish: 0 };
  const afterServer = await watch(async () => {
    rotation = await server.ask('rotate', ofServer);
    await callAll(clients);
  });
  const { openSince } = clients;
  if (openSince === undefined) return { before, rotation, afterServer };
  const ofClients = await issuer.issue();
  const startedAt = new Date();
  const delay = await watch(async () => {
    clients.rotate(ofClients);
    await callUntil(clients, () => {
      const { fresh, all } = openSince(startedAt);
      return fresh === CONNECTIONS && all === CONNECTIONS;
    });
  });
  return { before, rotation, afterServer, redial: { delay, seconds: (Date.now() - startedAt.getTime()) / 1_000 } };
}

/** Two calls over every connection, one after the other. */
async function callAll({ clients }: Clients): Promise<void> {
  for (const client of [...clients, ...clients]) await echo(client);
}

/** Calls over one connection after the other until `isDone`; rejects after a minute. */
async function callUntil({ clients }: Clients, isDone: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline)
    for (const client of clients) {
      await echo(client);
      if (isDone()) return;
    }
  throw new Error('not every connection was replaced within a minute');
}

function report(results: readonly Result[]): Report {
  return {
    method:
      `${CONNECTIONS} connections with mutual TLS and one call each to a server in a process of its own; its memory is read ` +
      `after garbage collection, before and with them. Then credentials change, rounds: ${results.at(-1)?.rounds.length ?? 0}, and the ` +
      "delay of the server's event loop is watched while calls go over all connections, one at a time. Figures of the event " +
      'loop are medians over the changes. Every call succeeded.',
    tables: [memoryTable(results), rotationTable(results), loopTable(results)],
  };
}

function memoryTable(results: readonly Result[]): Table {
  return {
    title: 'Memory of the server, per connection',
    columns: [
      { title: 'heap', unit: 'KiB' },
      { title: 'resident', unit: 'KiB' },
    ],
    rows: results.map(({ name, empty, full }) => ({
      name,
      cells: [(full.heap - empty.heap) / CONNECTIONS / 1_024, (full.resident - empty.resident) / CONNECTIONS / 1_024],
    })),
  };
}

function rotationTable(results: readonly Result[]): Table {
  return {
    title: 'A change of credentials, in the server',
    columns: [
      { title: 'check the files', unit: 'ms' },
      { title: 'publish', unit: 'ms' },
      { title: 'until all clients dialled anew', unit: 'ms' },
    ],
    rows: results
      .filter(({ rounds }) => rounds.length > 0)
      .map(({ name, rounds }) => {
        const redials = rounds.flatMap(({ redial }) => (redial === undefined ? [] : [redial.seconds * 1_000]));
        return {
          name,
          cells: [
            median(rounds.map(({ rotation }) => rotation.check)),
            median(rounds.map(({ rotation }) => rotation.publish)),
            redials.length === 0 ? undefined : median(redials),
          ],
        };
      }),
  };
}

function loopTable(results: readonly Result[]): Table {
  const row = (name: string, delays: readonly LoopDelay[]) => ({
    name,
    cells: [
      median(delays.map(({ p50 }) => p50)),
      median(delays.map(({ p99 }) => p99)),
      median(delays.map(({ max }) => max)),
    ],
  });
  return {
    title: 'Delay of the event loop of the server',
    columns: [
      { title: 'p50', unit: 'ms' },
      { title: 'p99', unit: 'ms' },
      { title: 'max', unit: 'ms' },
    ],
    rows: results
      .filter(({ rounds }) => rounds.length > 0)
      .flatMap(({ name, rounds }) => {
        const redials = rounds.flatMap(({ redial }) => redial?.delay ?? []);
        return [
          row(
            `${name}: before`,
            rounds.map(({ before }) => before),
          ),
          row(
            `${name}: the server changes`,
            rounds.map(({ afterServer }) => afterServer),
          ),
          ...(redials.length === 0 ? [] : [row(`${name}: the clients change`, redials)]),
        ];
      }),
  };
}
