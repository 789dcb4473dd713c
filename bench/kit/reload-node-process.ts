// A process with one node whose credentials and options change, for the benchmark of reloads. Started by `Child`.
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type * as grpc from '@grpc/grpc-js';
import { FabricNode } from '../../src/node/fabric-node.ts';
import type { FabricNodeOptions } from '../../src/node/node-options.ts';
import { NodeParts } from '../../src/node/node-parts.ts';
import { resolveOrThrow } from '../../src/node/reload-options.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { answerParent } from './child.ts';
import { memberClient } from './clients.ts';
import { echo, echoDefinition, echoImplementation } from './echo.ts';
import { listeningLogger } from './listening-logger.ts';
import { cpuMicros } from './timing.ts';

/** What a while was like for the event loop, times in milliseconds. */
export interface LoopWindow {
  readonly elapsedMs: number;
  /** How long the event loop kept a timer waiting. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** The most CPU time used between two timers of 1 ms: how long a turn is where no other process takes the core away. */
  readonly mostCpu: number;
  /** Share of the time that the event loop was busy, 0 to 1. */
  readonly utilization: number;
  readonly cpuMs: number;
}

export interface ReloadWindow extends LoopWindow {
  /** From the reload's begin until it was taken and every connection had been judged. */
  readonly reviewedAfterMs: number;
  /** Until the connections were as they were to be. */
  readonly settledAfterMs: number;
}

/** When a reload is over, beside that it was taken and reviewed. */
export interface Settled {
  /** How many connections are open then; undefined: any number. */
  readonly connections?: number;
  /** Whether all of them are newer than the reload. */
  readonly fresh: boolean;
}

export interface ReloadNodeCommands {
  /** Starts a whole node with an echo service. Resolves with its port. */
  serve(options: FabricNodeOptions): Promise<number>;
  /** Starts what dials in a node, and makes a call to each of the members. */
  dial(options: FabricNodeOptions, members: readonly string[]): Promise<void>;
  /** Makes so many calls a second to the dialled members, in turn; those to the last `doomed` may fail. */
  callMembers(perSecond: number, doomed: number): void;
  /** How many calls failed that were to succeed. */
  failures(): number;
  /** Open connections to or from other nodes. */
  connections(): Promise<number>;
  /** Resolves when so many are open. */
  connectionsAre(count: number): Promise<void>;
  watch(elapsedMs: number): Promise<LoopWindow>;
  /** Takes options and files, and watches until it is over, but for no less than `elapsedMs`. */
  reload(options: FabricNodeOptions, settled: Settled, elapsedMs: number): Promise<ReloadWindow>;
}

/** The finest that a timer of Node can be. */
const LOOP_RESOLUTION_MS = 1;
const LOOK_AGAIN_MS = 25;
const DEADLINE_MS = 55_000;

let onReviewed: () => void = () => {};
const metrics = createMetrics();
const logger = listeningLogger((event, fields) => {
  if (event === 'connections.reviewed' && fields?.connections !== 0) onReviewed();
});
const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
let takeOptions: (options: FabricNodeOptions) => Promise<unknown> = () => Promise.reject(new Error('nothing runs'));
/** When each outbound connection was opened; undefined where connections are inbound. */
let openedAt: (() => readonly Date[]) | undefined;
let memberClients: readonly grpc.Client[] = [];
let failed = 0;

const commands: ReloadNodeCommands = {
  async serve(options) {
    const services = [{ definition: echoDefinition, implementation: echoImplementation }];
    const node = await FabricNode.start(options, { logger, metrics, services });
    takeOptions = next => node.reload(next);
    return Number(new URL(node.ready.fabric[0] ?? '').port);
  },
  async dial(options, members) {
    const parts = await NodeParts.open(resolveOrThrow(options).settings, logger, metrics, []);
    let current = options;
    // As `FabricNode` does it.
    takeOptions = async next => {
      const { settings } = resolveOrThrow(next);
      await parts.credentials.reload('signal', settings.tls);
      if (!isDeepStrictEqual(next, current)) await parts.adopt(settings);
      current = next;
    };
    openedAt = () => parts.connector.connections.map(connection => connection.openedAt);
    memberClients = members.map(name => memberClient(parts.connector, name));
    for (const client of memberClients) await echo(client);
  },
  callMembers(perSecond, doomed) {
    let turn = 0;
    setInterval(() => {
      const index = turn % memberClients.length;
      turn += 1;
      const client = memberClients[index];
      if (client === undefined) return;
      echo(client).catch(() => {
        if (index < memberClients.length - doomed) failed += 1;
      });
    }, 1_000 / perSecond);
  },
  failures: () => failed,
  connections: countConnections,
  connectionsAre: count => until(async () => (await countConnections()) === count),
  watch: elapsedMs => watchLoop(() => sleep(elapsedMs)),
  async reload(options, { connections, fresh }, elapsedMs) {
    let reviewedAfterMs = 0;
    let settledAfterMs = 0;
    const window = await watchLoop(async () => {
      const startedAt = performance.now();
      const date = new Date();
      const reviewed = new Promise<void>(resolve => {
        onReviewed = resolve;
      });
      await takeOptions(options);
      await reviewed;
      reviewedAfterMs = performance.now() - startedAt;
      await until(async () => {
        const isFresh = !fresh || openedAt?.().every(opened => opened >= date) === true;
        return isFresh && (connections === undefined || (await countConnections()) === connections);
      });
      settledAfterMs = performance.now() - startedAt;
      await sleep(Math.max(0, elapsedMs - settledAfterMs));
    });
    return { ...window, reviewedAfterMs, settledAfterMs };
  },
};

answerParent(commands);

async function watchLoop(during: () => Promise<void>): Promise<LoopWindow> {
  loop.enable();
  loop.reset();
  const cpu = cpuMicros();
  const busy = performance.eventLoopUtilization();
  let lastCpu = cpu;
  let mostCpu = 0;
  const turns = setInterval(() => {
    const now = cpuMicros();
    mostCpu = Math.max(mostCpu, (now - lastCpu) / 1_000);
    lastCpu = now;
  }, LOOP_RESOLUTION_MS);
  const startedAt = performance.now();
  await during();
  clearInterval(turns);
  const elapsedMs = performance.now() - startedAt;
  const { utilization } = performance.eventLoopUtilization(busy);
  const cpuMs = (cpuMicros() - cpu) / 1_000;
  loop.disable();
  // The histogram holds the time between two samples; what is above the resolution is delay.
  const delay = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - LOOP_RESOLUTION_MS);
  return {
    elapsedMs,
    p50: delay(loop.percentile(50)),
    p99: delay(loop.percentile(99)),
    max: delay(loop.max),
    mostCpu,
    utilization,
    cpuMs,
  };
}

async function countConnections(): Promise<number> {
  const { values } = await metrics.connections.get();
  return values.reduce((sum, { value }) => sum + value, 0);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (Date.now() > deadline)
      throw new Error(`not as it should be within ${DEADLINE_MS} ms: ${await countConnections()} connections`);
    await sleep(LOOK_AGAIN_MS);
  }
}
