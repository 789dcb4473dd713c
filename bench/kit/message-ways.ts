import { ClosingStack } from '../../src/lifecycle/closing-stack.ts';
import { Child } from './child.ts';
import { CredentialIssuer } from './credentials.ts';
import type { Large, Mixed, Moved, SenderCommands } from './message-sender-process.ts';
import type { MessagesCommands } from './messages-process.ts';
import { NodeFiles } from './node-files.ts';

/** What is to be reached, by messages in flight. */
export type Aims = Readonly<Record<number, number>>;

/** One way to move a message of 128 bytes to another process. */
export interface MessageWay {
  readonly name: string;
  /**
   * How many messages a sample has, as a multiple of those of a bare unary call: so many that samples of all ways take about
   * as much CPU time, and none is over before it runs as it would for long.
   */
  readonly share: number;
  /** Messages per CPU-second, as a multiple of the bare unary call. */
  readonly aims?: Aims;
  /** Messages per CPU-second, as a share of the bare socket in percent. */
  readonly socketAims?: Aims;
  /** `cpu` is that of both processes. */
  move(count: number, inFlight: number): Promise<Moved>;
}

/** A way that moves large payloads and small messages at the same time. */
export interface MixedWay {
  readonly name: string;
  mix(large: Large): Promise<Mixed>;
}

export interface MessageWays extends AsyncDisposable {
  /** The first is the bare unary call, the last the bare socket. */
  readonly ways: readonly MessageWay[];
  readonly mixed: readonly MixedWay[];
}

interface Pair {
  readonly sender: Child<SenderCommands>;
  readonly server: Child<MessagesCommands>;
}

const NAMES = { here: 'node-1', there: 'node-2' } as const;

/** Opens every way between two processes of its own: what one leaves behind in heap and compiled code, no other pays for. */
export async function openMessageWays(): Promise<MessageWays> {
  const open = new ClosingStack();
  const use = <T extends AsyncDisposable>(resource: T): T => {
    open.defer('process or files', () => resource[Symbol.asyncDispose]());
    return resource;
  };
  const issuer = await CredentialIssuer.create();
  const [ofServer, ofSender] = [await issuer.issue(), await issuer.issue()];
  const pair = (): Pair => ({
    sender: use(new Child<SenderCommands>('message-sender-process.ts')),
    server: use(new Child<MessagesCommands>('messages-process.ts')),
  });
  const nodes = async (): Promise<Pair> => {
    const made = pair();
    const files = use(await NodeFiles.create(issuer));
    await connectNodes(made, files);
    return made;
  };
  const bare = pair();
  await bare.sender.ask('dialBare', await bare.server.ask('serveBare', ofServer), ofSender);
  const socket = pair();
  await socket.sender.ask('dialSocket', await socket.server.ask('serveSocket', ofServer), ofSender);
  const [typed, request, send] = [await nodes(), await nodes(), await nodes()];
  const mixing = (name: string, { sender }: Pair, way: string): MixedWay => ({
    name,
    mix: large => sender.ask('mix', way, large),
  });
  return {
    ways: [
      { name: 'bare unary call', share: 1, move: moving(bare, 'bare') },
      { name: 'typed call', share: 8, aims: { 64: 10, 1024: 10 }, move: moving(typed, 'typed') },
      { name: 'request', share: 64, aims: { 64: 40, 1024: 80 }, move: moving(request, 'request') },
      { name: 'one-way send', share: 64, socketAims: { 64: 50, 1024: 50 }, move: moving(send, 'send') },
      { name: 'bare TLS socket', share: 256, move: moving(socket, 'socket') },
    ],
    mixed: [
      mixing('bare unary call', bare, 'bare'),
      mixing('request: small high, large bulk', request, 'high-bulk'),
      mixing('request: all normal', request, 'normal'),
    ],
    [Symbol.asyncDispose]: () => open.close(),
  };
}

function moving({ sender, server }: Pair, way: string): MessageWay['move'] {
  return async (count, inFlight) => {
    const before = await server.ask('cpu');
    const moved = await sender.ask('move', way, count, inFlight);
    return { ...moved, cpu: moved.cpu + (await server.ask('cpu')) - before };
  };
}

/** Starts a node at either end. Resolves when the one that sends has a stream to the other. */
async function connectNodes({ sender, server }: Pair, files: NodeFiles): Promise<void> {
  const unknown = Object.values(NAMES).map(name => ({ name, address: 'https://127.0.0.1:1' }));
  // It learns the address of the one here when that dials it.
  await files.writeMembers(NAMES.there, unknown);
  const there = { name: NAMES.there, address: await server.ask('serveNode', files.options(NAMES.there)) };
  await files.writeMembers(NAMES.here, [...unknown.filter(({ name }) => name !== there.name), there]);
  await sender.ask('startNode', files.options(NAMES.here), NAMES.there);
}
