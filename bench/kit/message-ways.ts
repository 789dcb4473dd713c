import * as grpc from '@grpc/grpc-js';
import type { FabricNode } from '../../src/node/fabric-node.ts';
import type { Child } from './child.ts';
import { bareClient } from './clients.ts';
import { CredentialIssuer } from './credentials.ts';
import { echo, PAYLOAD } from './echo.ts';
import { ECHO, SINK, startEchoNode } from './message-node.ts';
import type { MessagesCommands } from './messages-process.ts';
import { NodeFiles } from './node-files.ts';
import { timeEach } from './timing.ts';
import { SocketClient } from './tls-socket.ts';

/** What is to be reached, by messages in flight. */
export type Aims = Readonly<Record<number, number>>;

/** Messages that were moved. */
export interface Moved {
  readonly count: number;
  /** How long some of them took, in milliseconds; of few in flight, all of them. */
  readonly latencies: readonly number[];
}

/** One way to move a message of 128 bytes to another process. */
export interface MessageWay {
  readonly name: string;
  /** How many messages a sample has, as a multiple of those of a bare unary call: what costs less needs more of them. */
  readonly share: number;
  /** Messages per CPU-second, as a multiple of the bare unary call. */
  readonly aims?: Aims;
  /** Messages per CPU-second, as a share of the bare socket in percent. */
  readonly socketAims?: Aims;
  move(count: number, inFlight: number): Promise<Moved>;
}

/** A way that moves large payloads and small ones at the same time. */
export interface MixedWay {
  readonly name: string;
  small(): Promise<unknown>;
  large(payload: Buffer): Promise<unknown>;
}

export interface MessageWays extends AsyncDisposable {
  /** The first is the bare unary call, the last the bare socket. */
  readonly ways: readonly MessageWay[];
  readonly mixed: readonly MixedWay[];
}

const NAMES = { here: 'node-1', there: 'node-2' } as const;

export async function openMessageWays(server: Child<MessagesCommands>): Promise<MessageWays> {
  const issuer = await CredentialIssuer.create();
  const [ofServer, ofClient] = [await issuer.issue(), await issuer.issue()];
  const bare = bareClient(await server.ask('serveBare', ofServer), ofClient);
  const socket = await SocketClient.connect(await server.ask('serveSocket', ofServer), ofClient);
  const files = await NodeFiles.create(issuer);
  const node = await connectNodes(server, files);
  const typed = node.client(grpc.Client, NAMES.there);
  const concurrent = (action: () => Promise<unknown>) => (count: number, inFlight: number) =>
    moveConcurrently(action, count, inFlight);
  return {
    ways: [
      { name: 'bare unary call', share: 1, move: concurrent(() => echo(bare)) },
      { name: 'typed call', share: 2, aims: { 64: 10, 1024: 10 }, move: concurrent(() => echo(typed)) },
      {
        name: 'request',
        share: 16,
        aims: { 64: 40, 1024: 80 },
        move: concurrent(() => request(node, PAYLOAD, 'normal')),
      },
      { name: 'one-way send', share: 16, socketAims: { 64: 50, 1024: 50 }, move: concurrent(() => send(node)) },
      { name: 'bare TLS socket', share: 16, move: (count, inFlight) => echoBatches(socket, count, inFlight) },
    ],
    mixed: [
      { name: 'bare unary call', small: () => echo(bare), large: payload => echo(bare, payload) },
      {
        name: 'request: small high, large bulk',
        small: () => request(node, PAYLOAD, 'high'),
        large: payload => request(node, payload, 'bulk'),
      },
      {
        name: 'request: all normal',
        small: () => request(node, PAYLOAD, 'normal'),
        large: payload => request(node, payload, 'normal'),
      },
    ],
    async [Symbol.asyncDispose]() {
      bare.close();
      socket.close();
      await node.close();
      await files[Symbol.asyncDispose]();
    },
  };
}

async function request(node: FabricNode, payload: Buffer, priority: 'high' | 'normal' | 'bulk'): Promise<void> {
  const reply = await node.messages.request(NAMES.there, ECHO, payload, { priority });
  if (reply.length !== payload.length) throw new Error('the echo is not what was said');
}

function send(node: FabricNode): Promise<void> {
  return node.messages.send(NAMES.there, SINK, PAYLOAD);
}

/** Starts a node there and one here. Resolves with the one here, which has a stream to the other. */
async function connectNodes(server: Child<MessagesCommands>, files: NodeFiles): Promise<FabricNode> {
  const unknown = Object.values(NAMES).map(name => ({ name, address: 'https://127.0.0.1:1' }));
  // It learns the address of the one here when that dials it.
  await files.writeMembers(NAMES.there, unknown);
  const there = { name: NAMES.there, address: await server.ask('serveNode', files.options(NAMES.there)) };
  await files.writeMembers(NAMES.here, [...unknown.filter(({ name }) => name !== there.name), there]);
  return startEchoNode(files.options(NAMES.here), NAMES.there);
}

/** Of so many senders one looks at the clock, which costs as much as a part of the message that it times. */
const SENDERS_A_CLOCK = 8;

/** So many senders at a time, each of which sends when its last message is settled. */
async function moveConcurrently(action: () => Promise<unknown>, count: number, inFlight: number): Promise<Moved> {
  const share = Math.ceil(count / inFlight);
  const send = async (sender: number) => {
    if (sender % SENDERS_A_CLOCK === 0) return timeEach(share, action);
    for (let sent = 0; sent < share; sent += 1) await action();
    return [];
  };
  const latencies = await Promise.all(Array.from({ length: inFlight }, (_, sender) => send(sender)));
  return { count: share * inFlight, latencies: latencies.flat() };
}

/** All messages that are in flight as one write. */
async function echoBatches(socket: SocketClient, count: number, inFlight: number): Promise<Moved> {
  const batch = Buffer.concat(Array.from({ length: inFlight }, () => PAYLOAD));
  const batches = Math.ceil(count / inFlight);
  return { count: batches * inFlight, latencies: await timeEach(batches, () => socket.echo(batch)) };
}
