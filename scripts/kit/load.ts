import * as grpc from '@grpc/grpc-js';
import type { CloseReason, RefusalReason } from '../../src/errors/refusal-reason.ts';
import type { ApplicationService, FabricNode } from '../../src/index.ts';

/** What the load of one process has seen so far. */
export interface LoadStats {
  unary: number;
  serverStreaming: number;
  bidirectional: number;
  /** Calls that ended with an error, open-ended streams apart. */
  failed: number;
  /** Open-ended streams that outlived a drain or the trust in them, and were cut with the reason. */
  cut: number;
  /** The first failures, in words. */
  failures: string[];
}

type BytesMethod = grpc.MethodDefinition<Buffer, Buffer>;

const bytes = {
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (value: Buffer) => value,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (value: Buffer) => value,
};

const ECHO: Readonly<Record<'Unary' | 'ServerStreaming' | 'Bidirectional', BytesMethod>> = {
  Unary: { path: '/demo.Echo/Unary', requestStream: false, responseStream: false, ...bytes },
  ServerStreaming: { path: '/demo.Echo/ServerStreaming', requestStream: false, responseStream: true, ...bytes },
  Bidirectional: { path: '/demo.Echo/Bidirectional', requestStream: true, responseStream: true, ...bytes },
};

/** Why a node may end a stream that would never end by itself. */
const CUT_REASONS: readonly (CloseReason | RefusalReason)[] = [
  'node_draining',
  'mode_changed',
  'address_changed',
  'credentials_rotated',
  'unknown_ca',
];

const MESSAGES = 10;
const PAUSE_MS = 80;
const DEADLINE_MS = 60_000;

/** An echo of each kind of call. */
export const echoService: ApplicationService = {
  definition: ECHO,
  implementation: {
    Unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => reply(null, call.request),
    ServerStreaming: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      let sent = 0;
      const timer = setInterval(() => {
        sent += 1;
        call.write(call.request);
        if (sent === MESSAGES) call.end();
        if (sent === MESSAGES || call.cancelled) clearInterval(timer);
      }, PAUSE_MS);
    },
    Bidirectional: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.on('data', (message: Buffer) => call.write(message));
      call.on('end', () => call.end());
      call.on('error', () => {});
    },
  },
};

/**
 * Calls of every kind to every other member, one after the other, until stopped. To `ready` ones: who they are follows the
 * members of the node, and what fails at the end of one's readiness is nobody's failure.
 */
export class Load {
  readonly stats: LoadStats = { unary: 0, serverStreaming: 0, bidirectional: 0, failed: 0, cut: 0, failures: [] };
  readonly #loops: Promise<void>[] = [];
  readonly #openEnded = new Set<grpc.ClientDuplexStream<Buffer, Buffer>>();
  readonly #ready = new Set<string>();
  #stopped = false;

  constructor(node: FabricNode, members: readonly string[] | 'ready') {
    if (members !== 'ready') {
      for (const member of members) this.#callAlways(node, member);
      return;
    }
    const follow = () => {
      const ready = node.members.all.filter(
        ({ liveness, membership }) => liveness.state === 'alive' && membership !== 'draining',
      );
      const names = new Set(ready.map(({ name }) => name));
      for (const name of this.#ready) if (!names.has(name)) this.#ready.delete(name);
      for (const name of names) if (!this.#ready.has(name)) this.#callWhileReady(node, name);
    };
    node.members.subscribe(follow);
    follow();
  }

  #callAlways(node: FabricNode, member: string): void {
    const client = node.client(grpc.Client, member);
    this.#loops.push(
      this.#repeat(`unary to ${member}`, () => this.#unary(client)),
      this.#repeat(`server streaming to ${member}`, () => this.#serverStreaming(client)),
      this.#repeat(`bidirectional to ${member}`, () => this.#bidirectional(client)),
      this.#openEndedLoop(member, client),
    );
  }

  #callWhileReady(node: FabricNode, member: string): void {
    this.#ready.add(member);
    const client = node.client(grpc.Client, member);
    const isReady = () => this.#ready.has(member);
    this.#loops.push(
      this.#repeat(`unary to ${member}`, () => this.#unary(client), isReady),
      this.#repeat(`server streaming to ${member}`, () => this.#serverStreaming(client), isReady),
      this.#repeat(`bidirectional to ${member}`, () => this.#bidirectional(client), isReady),
    );
  }

  /** Lets what runs finish. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const stream of this.#openEnded) stream.cancel();
    await Promise.all(this.#loops);
  }

  async #repeat(what: string, call: () => Promise<void>, isWanted: () => boolean = () => true): Promise<void> {
    while (!this.#stopped && isWanted()) {
      try {
        await call();
      } catch (error) {
        if (isWanted()) this.#failed(what, error);
      }
      await pause(PAUSE_MS);
    }
  }

  #failed(what: string, error: unknown): void {
    this.stats.failed += 1;
    const text = `${new Date().toISOString()} ${what}: ${error instanceof Error ? error.message : String(error)}`;
    if (this.stats.failures.length < 10) this.stats.failures.push(text);
  }

  #unary(client: grpc.Client): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = ECHO.Unary;
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        Buffer.from('hello'),
        { deadline: Date.now() + DEADLINE_MS },
        error => {
          this.stats.unary += 1;
          if (error === null) resolve();
          else reject(error);
        },
      );
    });
  }

  #serverStreaming(client: grpc.Client): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = ECHO.ServerStreaming;
    const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, Buffer.from('hello'), {
      deadline: Date.now() + DEADLINE_MS,
    });
    return ended(stream).then(count => {
      this.stats.serverStreaming += 1;
      if (count !== MESSAGES) throw new Error(`${count} of ${MESSAGES} messages`);
    });
  }

  async #bidirectional(client: grpc.Client): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = ECHO.Bidirectional;
    const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, {
      deadline: Date.now() + DEADLINE_MS,
    });
    const end = ended(stream);
    // Awaited below: a stream that fails before is counted there, and nobody else's news.
    end.catch(() => {});
    for (let sent = 0; sent < MESSAGES; sent += 1) {
      stream.write(Buffer.from(`${sent}`));
      await pause(PAUSE_MS);
    }
    stream.end();
    const count = await end;
    this.stats.bidirectional += 1;
    if (count !== MESSAGES) throw new Error(`${count} of ${MESSAGES} messages`);
  }

  /** A stream that never ends by itself: a drain must cut it, and say why. */
  async #openEndedLoop(member: string, client: grpc.Client): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = ECHO.Bidirectional;
    while (!this.#stopped) {
      const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      this.#openEnded.add(stream);
      stream.write(Buffer.from('are you there'));
      try {
        await ended(stream);
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        if (isCut(text)) this.stats.cut += 1;
        else if (!this.#stopped) this.#failed(`open-ended stream to ${member}`, error);
      }
      this.#openEnded.delete(stream);
      await pause(PAUSE_MS);
    }
  }
}

/** Messages of cut calls end with the reason: `... outlived the drain timeout (node_draining)`. */
function isCut(message: string): boolean {
  return CUT_REASONS.some(reason => message.includes(`(${reason})`));
}

function ended(stream: grpc.ClientReadableStream<Buffer> | grpc.ClientDuplexStream<Buffer, Buffer>): Promise<number> {
  let count = 0;
  return new Promise((resolve, reject) => {
    stream.on('data', () => {
      count += 1;
    });
    stream.once('error', reject);
    stream.once('end', () => resolve(count));
  });
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
