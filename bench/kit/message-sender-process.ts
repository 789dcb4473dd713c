// A process that sends messages to another one in one way or another, and measures that. Started by `Child`.
import { setTimeout as sleep } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import type { FabricNode } from '../../src/node/fabric-node.ts';
import type { FabricNodeOptions } from '../../src/node/node-options.ts';
import { answerParent } from './child.ts';
import { bareClient } from './clients.ts';
import type { CredentialPems } from './credentials.ts';
import { echo, PAYLOAD } from './echo.ts';
import { ECHO, SINK, startEchoNode } from './message-node.ts';
import { median, quantile } from './statistics.ts';
import { cpuMicros, timeEach } from './timing.ts';
import { SocketClient } from './tls-socket.ts';

/** What was moved, and what it cost this process. */
export interface Moved {
  readonly count: number;
  /** In microseconds. */
  readonly cpu: number;
  /** How long some of them took, in milliseconds; of few in flight, all of them. */
  readonly p50: number;
  readonly p99: number;
}

/** Large payloads that are under way all the time. */
export interface Large {
  readonly bytes: number;
  readonly atOnce: number;
}

/** How long each of some small messages took, in milliseconds, without large payloads beside them and with. */
export interface Mixed {
  readonly alone: readonly number[];
  readonly beside: readonly number[];
  /** MiB of large payloads a second, each way. */
  readonly throughput: number;
}

export interface SenderCommands {
  /** Prepares the ways `bare`, `socket`, or those of a node: `typed`, `request`, `send`, `high-bulk` and `normal`. */
  dialBare(port: number, credentials: CredentialPems): void;
  dialSocket(port: number, credentials: CredentialPems): Promise<void>;
  startNode(options: FabricNodeOptions, peer: string): Promise<void>;
  move(way: string, count: number, inFlight: number): Promise<Moved>;
  mix(way: string, large: Large): Promise<Mixed>;
}

type Priority = 'high' | 'normal' | 'bulk';

const SMALL_MESSAGES = 100;
const PAUSE_MS = 2;
/** Of so many senders one looks at the clock, which costs as much as a part of the message that it times. */
const SENDERS_A_CLOCK = 8;

const moves = new Map<string, (count: number, inFlight: number) => Promise<{ count: number; latencies: number[] }>>();
const mixes = new Map<string, { small: () => Promise<unknown>; large: (payload: Buffer) => Promise<unknown> }>();

const commands: SenderCommands = {
  dialBare(port, credentials) {
    const client = bareClient(port, credentials);
    moves.set('bare', (count, inFlight) => moveConcurrently(() => echo(client), count, inFlight));
    mixes.set('bare', { small: () => echo(client), large: payload => echo(client, payload) });
  },
  async dialSocket(port, credentials) {
    const socket = await SocketClient.connect(port, credentials);
    moves.set('socket', (count, inFlight) => echoBatches(socket, count, inFlight));
  },
  async startNode(options, peer) {
    const node = await startEchoNode(options, peer);
    const typed = node.client(grpc.Client, peer);
    const request = (payload: Buffer, priority: Priority) => askBack(node, peer, payload, priority);
    moves.set('typed', (count, inFlight) => moveConcurrently(() => echo(typed), count, inFlight));
    moves.set('request', (count, inFlight) => moveConcurrently(() => request(PAYLOAD, 'normal'), count, inFlight));
    const send = () => node.messages.send(peer, SINK, PAYLOAD);
    moves.set('send', (count, inFlight) => moveConcurrently(send, count, inFlight));
    mixes.set('high-bulk', { small: () => request(PAYLOAD, 'high'), large: payload => request(payload, 'bulk') });
    mixes.set('normal', { small: () => request(PAYLOAD, 'normal'), large: payload => request(payload, 'normal') });
  },
  async move(way, most, inFlight) {
    const move = moves.get(way);
    if (move === undefined) throw new Error(`there is no way ${way}`);
    const before = cpuMicros();
    const { count, latencies } = await move(most, inFlight);
    const cpu = cpuMicros() - before;
    return { count, cpu, p50: median(latencies), p99: quantile(latencies, 0.99) };
  },
  async mix(way, { bytes, atOnce }) {
    const mixed = mixes.get(way);
    if (mixed === undefined) throw new Error(`there is no way ${way}`);
    const payload = Buffer.alloc(bytes, 'y');
    const small = async () => {
      const times: number[] = [];
      for (let sent = 0; sent < SMALL_MESSAGES; sent += 1) {
        times.push(...(await timeEach(1, mixed.small)));
        await sleep(PAUSE_MS);
      }
      return times;
    };
    const alone = await small();
    let moved = 0;
    let stopping = false;
    const startedAt = performance.now();
    const streams = Array.from({ length: atOnce }, async () => {
      while (!stopping) {
        await mixed.large(payload);
        moved += bytes;
      }
    });
    const beside = await small();
    stopping = true;
    await Promise.all(streams);
    return { alone, beside, throughput: moved / 1_048_576 / ((performance.now() - startedAt) / 1_000) };
  },
};

async function askBack(node: FabricNode, peer: string, payload: Buffer, priority: Priority): Promise<void> {
  const reply = await node.messages.request(peer, ECHO, payload, { priority });
  if (reply.length !== payload.length) throw new Error('the echo is not what was said');
}

/** So many senders at a time, each of which sends when its last message is settled. */
async function moveConcurrently(action: () => Promise<unknown>, count: number, inFlight: number) {
  const share = Math.ceil(count / inFlight);
  const send = async (sender: number): Promise<number[]> => {
    if (sender % SENDERS_A_CLOCK === 0) return timeEach(share, action);
    for (let sent = 0; sent < share; sent += 1) await action();
    return [];
  };
  const latencies = await Promise.all(Array.from({ length: inFlight }, (_, sender) => send(sender)));
  return { count: share * inFlight, latencies: latencies.flat() };
}

/** All messages that are in flight as one write. */
async function echoBatches(socket: SocketClient, count: number, inFlight: number) {
  const batch = Buffer.concat(Array.from({ length: inFlight }, () => PAYLOAD));
  const batches = Math.ceil(count / inFlight);
  return { count: batches * inFlight, latencies: await timeEach(batches, () => socket.echo(batch)) };
}

answerParent(commands);
