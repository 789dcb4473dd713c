// A process with what answers messages in one way or another. Started by `Child`.
import { constant } from '../../src/lifecycle/observable-value.ts';
import type { FabricNodeOptions } from '../../src/node/node-options.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { answerParent } from './child.ts';
import { type CredentialPems, snapshotOf } from './credentials.ts';
import { startEchoServer } from './echo-servers.ts';
import { startEchoNode } from './message-node.ts';
import { cpuMicros } from './timing.ts';
import { startSocketEcho } from './tls-socket.ts';

export interface MessagesCommands {
  /** Starts a grpc-js server without anything of ours. Resolves with its port. */
  serveBare(credentials: CredentialPems): Promise<number>;
  /** Starts an echo of raw bytes over TLS. Resolves with its port. */
  serveSocket(credentials: CredentialPems): Promise<number>;
  /** Starts a node that answers calls and messages. Resolves with its address. */
  serveNode(options: FabricNodeOptions): Promise<string>;
  /** CPU time so far, in microseconds. */
  cpu(): number;
}

const commands: MessagesCommands = {
  serveBare(credentials) {
    const trust = constant(snapshotOf(credentials));
    return startEchoServer('bare', { credentials, trust, logger: silentLogger, metrics: createMetrics() });
  },
  serveSocket: startSocketEcho,
  serveNode: async options => (await startEchoNode(options)).ready.fabric[0] ?? '',
  cpu: cpuMicros,
};

answerParent(commands);
