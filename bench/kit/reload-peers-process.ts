// A process with the other ends of the connections of a node that reloads. Started by `Child`.
import type * as grpc from '@grpc/grpc-js';
import type { Connector } from '../../src/connector/connector.ts';
import { constant } from '../../src/lifecycle/observable-value.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { answerParent } from './child.ts';
import { memberClient, openConnector } from './clients.ts';
import { type CredentialPems, snapshotOf } from './credentials.ts';
import { echo } from './echo.ts';
import { startEchoServer } from './echo-servers.ts';

export interface ReloadPeersCommands {
  /** Opens one connection for each set of credentials to a port of loopback, with one call each. */
  connect(port: number, credentials: readonly CredentialPems[]): Promise<void>;
  /** Opens the last `count` of them anew. */
  reconnectLast(count: number): Promise<void>;
  /** Makes so many calls a second, in turn over all connections; those of the last `doomed` may fail. */
  call(perSecond: number, doomed: number): void;
  /** How many calls failed that were to succeed. */
  failures(): number;
  /** Starts a server for each set of credentials. Resolves with their ports. */
  serve(credentials: readonly CredentialPems[]): Promise<readonly number[]>;
}

interface Peer {
  readonly open: () => { readonly connector: Connector; readonly client: grpc.Client };
  now: { readonly connector: Connector; readonly client: grpc.Client };
}

/** Peers that connect at the same time. */
const AT_ONCE = 10;

const peers: Peer[] = [];
let failed = 0;

const commands: ReloadPeersCommands = {
  async connect(port, credentials) {
    for (const each of credentials) {
      const trust = constant(snapshotOf(each));
      const open = () => {
        const connector = openConnector(port, trust);
        return { connector, client: memberClient(connector, 'node-1') };
      };
      peers.push({ open, now: open() });
    }
    await greet(peers);
  },
  async reconnectLast(count) {
    const last = peers.slice(-count);
    for (const peer of last) {
      peer.now.connector.close();
      peer.now = peer.open();
    }
    await greet(last);
  },
  call(perSecond, doomed) {
    let turn = 0;
    setInterval(() => {
      const index = turn % peers.length;
      turn += 1;
      const client = peers[index]?.now.client;
      if (client === undefined) return;
      echo(client).catch(() => {
        if (index < peers.length - doomed) failed += 1;
      });
    }, 1_000 / perSecond);
  },
  failures: () => failed,
  serve: credentials =>
    Promise.all(
      credentials.map(each => {
        const trust = constant(snapshotOf(each));
        return startEchoServer('fabric', {
          credentials: each,
          trust,
          logger: silentLogger,
          metrics: createMetrics(),
        });
      }),
    ),
};

answerParent(commands);

async function greet(all: readonly Peer[]): Promise<void> {
  for (let from = 0; from < all.length; from += AT_ONCE)
    await Promise.all(all.slice(from, from + AT_ONCE).map(({ now }) => echo(now.client)));
}
