import { randomBytes, X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FabricNodeOptions } from '../src/node/node-options.ts';
import type { Benchmark, Report, RunOptions, Table } from './kit/benchmark.ts';
import { Child } from './kit/child.ts';
import { CredentialIssuer, type CredentialPems } from './kit/credentials.ts';
import { ReloadFiles } from './kit/reload-files.ts';
import type { LoopWindow, ReloadNodeCommands, ReloadWindow } from './kit/reload-node-process.ts';
import type { ReloadPeersCommands } from './kit/reload-peers-process.ts';
import { median, medianRatio } from './kit/statistics.ts';

const CONNECTIONS = 500;
const DOOMED = 50;
const CRL_ENTRIES = 10_000;
/** Processes with the other ends. */
const PEER_PROCESSES = 2;
/** Servers that the dialling node dials, each with a certificate of its own. */
const SERVERS = CONNECTIONS / DOOMED;
const CALLS_PER_SECOND = 100;
/** Of a quiet window before the first reload of a kind, and the least of one with a reload. */
const WINDOW_MS = 500;
/** The files are watched: what the watcher reads again after a change is not to fall into a quiet window. */
const PAUSE_MS = 1_000;

const NOBODY = 'uri:spiffe://bench/nobody';

/** One way in which trust changes, and back. */
interface Change {
  readonly name: string;
  /** Connections that are open after it. */
  readonly left: number;
  /** Whether a node that dials shows something else and so dials anew. */
  readonly redials: boolean;
  make(files: ReloadFiles): Promise<FabricNodeOptions>;
  /** Puts things back; undefined where they may stay. */
  readonly undo?: (files: ReloadFiles) => Promise<FabricNodeOptions>;
}

interface Round {
  readonly before: LoopWindow;
  readonly during: ReloadWindow;
}

interface Result {
  readonly name: string;
  readonly rounds: readonly Round[];
}

/** The node that reloads, and its peers. */
interface Scene {
  readonly node: Child<ReloadNodeCommands>;
  readonly files: ReloadFiles;
  readonly direction: 'inbound' | 'outbound';
  /** Lets those in again whose trust was withdrawn. */
  readonly restore: () => Promise<unknown>;
  /** Calls that failed though their connection was to stay. */
  readonly failures: () => Promise<number>;
}

export const reload: Benchmark = {
  name: 'reload',
  question: `Does a reload stall the event loop of a node with ${CONNECTIONS} connections?`,
  run,
};

async function run({ quick, progress }: RunOptions): Promise<Report> {
  const issuer = await CredentialIssuer.create();
  const many = Array.from({ length: CRL_ENTRIES }, randomSerialNumber);
  const inbound = await measureInbound(issuer, many, quick ? 1 : 3, progress);
  const outbound = await measureOutbound(issuer, many, quick ? 1 : 3, progress);
  return report(inbound, outbound);
}

async function measureInbound(
  issuer: CredentialIssuer,
  many: readonly string[],
  rounds: number,
  progress: RunOptions['progress'],
): Promise<Result[]> {
  progress(`${CONNECTIONS} connections to a node`);
  await using files = await ReloadFiles.create(issuer);
  await using node = new Child<ReloadNodeCommands>('reload-node-process.ts');
  const port = await node.ask('serve', files.options());
  const each = CONNECTIONS / PEER_PROCESSES;
  const doomedOfEach = DOOMED / PEER_PROCESSES;
  await using first = new Child<ReloadPeersCommands>('reload-peers-process.ts');
  await using second = new Child<ReloadPeersCommands>('reload-peers-process.ts');
  const peers = [first, second];
  const doomed: CredentialPems[] = [];
  for (const peer of peers) {
    const credentials = await issueMany(issuer, each);
    doomed.push(...credentials.slice(-doomedOfEach));
    await peer.ask('connect', port, credentials);
  }
  await node.ask('connectionsAre', CONNECTIONS);
  for (const peer of peers) await peer.ask('call', CALLS_PER_SECOND / PEER_PROCESSES, doomedOfEach);
  const scene: Scene = {
    node,
    files,
    direction: 'inbound',
    restore: () => Promise.all(peers.map(peer => peer.ask('reconnectLast', doomedOfEach))),
    failures: async () => sum(await Promise.all(peers.map(peer => peer.ask('failures')))),
  };
  return await measure(scene, await changes(issuer, many, doomed), rounds, progress);
}

async function measureOutbound(
  issuer: CredentialIssuer,
  many: readonly string[],
  rounds: number,
  progress: RunOptions['progress'],
): Promise<Result[]> {
  progress(`${CONNECTIONS} connections of a node`);
  await using files = await ReloadFiles.create(issuer);
  await using node = new Child<ReloadNodeCommands>('reload-node-process.ts');
  await using peers = new Child<ReloadPeersCommands>('reload-peers-process.ts');
  const servers = await issueMany(issuer, SERVERS);
  const ports = await peers.ask('serve', servers);
  const members = Array.from({ length: CONNECTIONS }, (_, index) => ({
    name: `member-${index}`,
    port: ports[Math.floor(index / DOOMED)] ?? 0,
  }));
  await files.writeMembers(members);
  const names = members.map(({ name }) => name);
  await node.ask('dial', files.options(), names);
  await node.ask('callMembers', CALLS_PER_SECOND, DOOMED);
  const scene: Scene = {
    node,
    files,
    direction: 'outbound',
    restore: async () => {},
    failures: () => node.ask('failures'),
  };
  return await measure(scene, await changes(issuer, many, servers.slice(-1)), rounds, progress);
}

async function changes(
  issuer: CredentialIssuer,
  many: readonly string[],
  doomed: readonly CredentialPems[],
): Promise<readonly Change[]> {
  const other = await CredentialIssuer.create();
  const few = ['0a'];
  const dooming = doomed.map(({ certPem }) => new X509Certificate(certPem).serialNumber);
  const all = { left: CONNECTIONS, redials: false };
  const asBefore = async (files: ReloadFiles) => files.options();
  // Made anew each time: a node takes no list that is older than the one it has.
  const withCrl = (serialNumbers: readonly string[]) => async (files: ReloadFiles) => {
    await files.writeCrl(await issuer.revoke(serialNumbers));
    return files.options();
  };
  const withAnchors = (pem: string) => async (files: ReloadFiles) => {
    await files.writeAnchors(pem);
    return files.options();
  };
  return [
    {
      ...all,
      name: 'own certificate renewed',
      redials: true,
      make: async files => {
        await files.renewLeaf();
        return files.options();
      },
    },
    {
      ...all,
      name: 'a CA added',
      make: withAnchors(issuer.anchorsPem + other.anchorsPem),
      undo: withAnchors(issuer.anchorsPem),
    },
    { ...all, name: `a CRL of ${CRL_ENTRIES} entries`, make: withCrl(many), undo: withCrl(few) },
    { ...all, name: 'a deny entry that hits nobody', make: async files => files.options([NOBODY]), undo: asBefore },
    { ...all, name: 'another name allowed', make: async files => files.options([], [NOBODY]), undo: asBefore },
    {
      name: `a CRL that ends ${DOOMED} of them`,
      left: CONNECTIONS - DOOMED,
      redials: false,
      make: withCrl(dooming),
      undo: withCrl(few),
    },
  ];
}

async function measure(
  scene: Scene,
  kinds: readonly Change[],
  rounds: number,
  progress: RunOptions['progress'],
): Promise<Result[]> {
  const results = kinds.map(change => ({ change, rounds: [] as Round[] }));
  for (let round = 0; round < rounds; round += 1) {
    progress(`round ${round + 1} of ${rounds}`);
    for (const { change, rounds: seen } of results) seen.push(await measureOne(scene, change, seen.at(-1)));
  }
  const failures = await scene.failures();
  if (failures > 0) throw new Error(`${failures} calls failed over connections that were to stay`);
  return results.map(({ change, rounds: seen }) => ({ name: change.name, rounds: seen }));
}

async function measureOne(scene: Scene, change: Change, previous: Round | undefined): Promise<Round> {
  const { node, files, direction, restore } = scene;
  await sleep(PAUSE_MS);
  const before = await node.ask('watch', previous?.during.elapsedMs ?? WINDOW_MS);
  const options = await change.make(files);
  const fresh = change.redials && direction === 'outbound';
  const during = await node.ask('reload', options, { connections: change.left, fresh }, WINDOW_MS);
  if (change.undo !== undefined) {
    const previousOptions = await change.undo(files);
    await node.ask('reload', previousOptions, { fresh: false }, 0);
    if (change.left < CONNECTIONS) await restore();
    await node.ask('connectionsAre', CONNECTIONS);
  }
  return { before, during };
}

async function issueMany(issuer: CredentialIssuer, count: number): Promise<CredentialPems[]> {
  const all: CredentialPems[] = [];
  for (let index = 0; index < count; index += 1) all.push(await issuer.issue());
  return all;
}

/** Of 16 bytes, positive and in its shortest form. */
function randomSerialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return bytes.toString('hex');
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function report(inbound: readonly Result[], outbound: readonly Result[]): Report {
  const roundsOf = (results: readonly Result[]) => results[0]?.rounds.length ?? 0;
  return {
    method:
      `A node with ${CONNECTIONS} inbound connections, each with a certificate of its own, from ${PEER_PROCESSES} other processes, ` +
      `and one with ${CONNECTIONS} outbound connections to ${SERVERS} servers of another process; ${CALLS_PER_SECOND} calls a second ` +
      'in turn over all of them. Delay of the event loop is seen in the node, by a timer of 1 ms; the CPU of a turn is the most ' +
      'that the process used between two of its timers, which waiting for a core does not add to. Each round watches each kind of ' +
      `reload: first quiet, for as long as the reload of the round before (${WINDOW_MS} ms in the first), then from the reload's ` +
      `begin until it was taken, all connections were judged and are as they should be, at least ${WINDOW_MS} ms. Rounds: ` +
      `${roundsOf(inbound)} inbound, ${roundsOf(outbound)} outbound; figures are medians over the rounds, a ratio is the median of the ` +
      'ratios within a round. Every call succeeded over the connections that were to stay.',
    tables: [
      loopTable(`${CONNECTIONS} inbound connections: delay of the event loop, before > during`, inbound),
      costTable(`${CONNECTIONS} inbound connections: the reload`, inbound),
      loopTable(`${CONNECTIONS} outbound connections: delay of the event loop, before > during`, outbound),
      costTable(`${CONNECTIONS} outbound connections: the reload`, outbound),
    ],
  };
}

function loopTable(title: string, results: readonly Result[]): Table {
  const ms = (name: string) => ({ title: name, unit: 'ms' as const });
  return {
    title,
    columns: [
      ms('p50'),
      ms('> p50'),
      ms('p99'),
      ms('> p99'),
      { title: 'ratio', unit: 'x' },
      ms('longest'),
      ms('> longest'),
      ms('CPU of a turn'),
      ms('> CPU of a turn'),
      { title: 'busy', unit: '%' },
      { title: '> busy', unit: '%' },
    ],
    rows: results.map(({ name, rounds }) => {
      const before = (figure: (window: LoopWindow) => number) => rounds.map(round => figure(round.before));
      const during = (figure: (window: LoopWindow) => number) => rounds.map(round => figure(round.during));
      const both = (figure: (window: LoopWindow) => number) => [median(before(figure)), median(during(figure))];
      return {
        name,
        cells: [
          ...both(({ p50 }) => p50),
          ...both(({ p99 }) => p99),
          medianRatio(
            during(({ p99 }) => p99),
            before(({ p99 }) => p99),
          ),
          ...both(({ max }) => max),
          ...both(({ mostCpu }) => mostCpu),
          ...both(({ utilization }) => utilization * 100),
        ],
      };
    }),
  };
}

function costTable(title: string, results: readonly Result[]): Table {
  return {
    title,
    columns: [
      { title: 'CPU beyond quiet', unit: 'ms' },
      { title: 'taken and all judged after', unit: 'ms' },
      { title: 'connections as they should be after', unit: 'ms' },
    ],
    rows: results.map(({ name, rounds }) => ({
      name,
      cells: [
        median(rounds.map(({ before, during }) => during.cpuMs - (before.cpuMs / before.elapsedMs) * during.elapsedMs)),
        median(rounds.map(({ during }) => during.reviewedAfterMs)),
        median(rounds.map(({ during }) => during.settledAfterMs)),
      ],
    })),
  };
}
