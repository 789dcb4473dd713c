// A process with echo servers, for the benchmarks to call. Started by `Child`.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { TrustSnapshot } from '../../src/credentials/trust-snapshot.ts';
import { MutableValue } from '../../src/lifecycle/observable-value.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { answerParent } from './child.ts';
import { type CredentialPems, snapshotOf } from './credentials.ts';
import { type ServerKind, startEchoServer } from './echo-servers.ts';
import { type Memory, readMemory } from './memory.ts';
import { cpuMicros } from './timing.ts';

/** How long the event loop kept its timers waiting, in milliseconds. */
export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** How long one change of the credentials took, in milliseconds. */
export interface Rotation {
  /** To check the new set: keys, chains, names. */
  readonly check: number;
  /** To publish it: everything that its readers do at once. */
  readonly publish: number;
}

export interface ServerCommands {
  /** Starts one server of a kind on a free port of loopback, and says which. */
  start(kind: ServerKind, credentials: CredentialPems): Promise<number>;
  /** CPU time so far, in microseconds. */
  cpu(): number;
  memory(): Promise<Memory>;
  /** Begins a new measurement of the event loop. */
  watchLoop(): void;
  /** What was seen since {@link ServerCommands.watchLoop}. */
  loopDelay(): LoopDelay;
  /** Gives all servers but bare ones new credentials. */
  rotate(credentials: CredentialPems): Rotation;
  /** Connections refused so far, by reason. */
  refused(): Promise<Record<string, number>>;
}

const LOOP_RESOLUTION_MS = 5;

const metrics = createMetrics();
// Lines are made as they would be, and go nowhere.
const logger = createLogger({ level: 'info', write: () => {} });
const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
let trust: MutableValue<TrustSnapshot> | undefined;

const commands: ServerCommands = {
  start(kind, credentials) {
    trust ??= new MutableValue(snapshotOf(credentials));
    return startEchoServer(kind, { credentials, trust, logger, metrics });
  },
  cpu: cpuMicros,
  memory: readMemory,
  watchLoop() {
    loop.enable();
    loop.reset();
  },
  loopDelay() {
    loop.disable();
    // The histogram holds the time between two samples; what is above the resolution is delay.
    const delay = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - LOOP_RESOLUTION_MS);
    return { p50: delay(loop.percentile(50)), p99: delay(loop.percentile(99)), max: delay(loop.max) };
  },
  rotate(credentials) {
    const startedAt = performance.now();
    const snapshot = snapshotOf(credentials);
    const checkedAt = performance.now();
    trust?.set(snapshot);
    return { check: checkedAt - startedAt, publish: performance.now() - checkedAt };
  },
  async refused() {
    const { values } = await metrics.connectionsRefused.get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels.reason, value]));
  },
};

answerParent(commands);
