import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { formatAddress, parseAddress, type TcpAddress } from '../../src/identity/address.ts';
import { MutableValue } from '../../src/lifecycle/observable-value.ts';
import type { EtcdSource } from '../../src/membership/etcd-source.ts';
import type { EtcdConnection } from '../../src/membership/etcd-source-parts.ts';
import { type EtcdSourceOptions, openEtcdSource } from '../../src/membership/open-etcd-source.ts';
import type { OwnWord } from '../../src/membership/own-word.ts';
import { EtcdClient } from '../../src/rpc/etcd-client.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import type { LogLine } from './fabric-pair.ts';

export const ETCD_PREFIX = '/selvedge/dev/';

/** A source of a test, with what it said and what a test may change. */
export interface OpenedEtcdSource {
  readonly source: EtcdSource;
  readonly own: MutableValue<OwnWord>;
  readonly log: LogLine[];
  /** The newest word of `onProblem`. */
  problem(): string | undefined;
  /** Calls go over another connection now; only of a channel of the kit's own. */
  moved(): void;
  /** How often the connection said so. */
  moves(): number;
  /** How often the source wanted another endpoint. */
  tries(): number;
  close(): Promise<void>;
}

export type EtcdSourceRequest = Partial<EtcdSourceOptions> & {
  readonly port?: number;
  /** Default true. */
  readonly isAnnounced?: boolean;
  /** Default: a new process at `https://NODE-NAME:1`. */
  readonly own?: OwnWord;
};

let lastGeneration = 0;

/** Opens a source over a plain channel to a port of loopback, impatient where time is concerned; closed after the test. */
export async function openTestEtcdSource(t: TestContext, request: EtcdSourceRequest): Promise<OpenedEtcdSource> {
  const { port = 0, nodeName = 'a', isAnnounced = true, ...options } = request;
  const log: LogLine[] = [];
  const own = new MutableValue<OwnWord>(options.own ?? wordAt(`https://${nodeName}:1`));
  let moved = () => {};
  let moves = 0;
  let tries = 0;
  let problem: string | undefined;
  const requestTimeoutMs = options.requestTimeoutMs ?? 2_000;
  const connection = options.connection ?? plainConnection(port, requestTimeoutMs);
  const source = await openEtcdSource({
    prefix: ETCD_PREFIX,
    nodeName,
    leaseTtlMs: 3_000,
    leave: 'when-removed',
    allowUnguarded: true,
    logger: createLogger({ write: line => log.push(JSON.parse(line)) }),
    onProblem: word => {
      problem = word;
    },
    ...options,
    connection: {
      ...connection,
      tryAnother: () => {
        tries += 1;
        connection.tryAnother();
      },
      onMoved: listener => {
        const count = () => {
          moves += 1;
          listener();
        };
        moved = count;
        return connection.onMoved(count);
      },
    },
    dataDir: options.dataDir ?? (await makeDataDir(t)),
    startTimeoutMs: options.startTimeoutMs ?? requestTimeoutMs,
    requestTimeoutMs,
    timing: { freezeAfterMs: 20, askEveryMs: 200, retry: { initialMs: 10, maxMs: 100 }, ...options.timing },
  });
  const close = () => source.close();
  leftoversOf(t).sources.push(source);
  if (isAnnounced) await source.announce(own);
  return {
    source,
    own,
    log,
    problem: () => problem,
    moved: () => moved(),
    moves: () => moves,
    tries: () => tries,
    close,
  };
}

function plainConnection(port: number, timeoutMs: number): EtcdConnection {
  const channel = new grpc.Channel(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.initial_reconnect_backoff_ms': 20,
    'grpc.max_reconnect_backoff_ms': 100,
  });
  return {
    client: new EtcdClient(channel, { timeoutMs }),
    onMoved: () => () => {},
    tryAnother: () => {},
    user: () => 'tester',
    close: () => channel.close(),
  };
}

/** A data directory for sources of the test; it goes when they are closed. */
export async function makeDataDir(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-etcd-'));
  leftoversOf(t).directories.push(directory);
  return directory;
}

interface Leftovers {
  readonly sources: EtcdSource[];
  readonly directories: string[];
}

const leftovers = new WeakMap<TestContext, Leftovers>();

/** Directories after sources: what a test opens first is cleaned up first otherwise. */
function leftoversOf(t: TestContext): Leftovers {
  const known = leftovers.get(t);
  if (known !== undefined) return known;
  const made: Leftovers = { sources: [], directories: [] };
  leftovers.set(t, made);
  t.after(async () => {
    for (const source of made.sources) await source.close();
    for (const directory of made.directories) await rm(directory, { recursive: true, force: true });
  });
  return made;
}

/** What a node says of itself, each later than the one before. */
export function wordAt(address: string, more: Partial<OwnWord> = {}): OwnWord {
  lastGeneration += 1;
  return {
    generation: lastGeneration,
    addresses: [parseAddress(address) as TcpAddress],
    labels: {},
    zone: undefined,
    weight: 1,
    ...more,
  };
}

/** `name=address` of each member, `-name` of who is removed. */
export function viewIn({ source }: Pick<OpenedEtcdSource, 'source'>): string {
  const { members, removed } = source.view.value;
  const texts = members.map(({ name, addresses, isDraining }) => {
    const address = addresses.map(formatAddress).join(',');
    return `${name}=${address}${isDraining === true ? ' draining' : ''}`;
  });
  return [...texts, ...removed.map(name => `-${name}`)].join(' ');
}
