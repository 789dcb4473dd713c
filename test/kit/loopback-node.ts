import * as grpc from '@grpc/grpc-js';
import { StableChannel } from '../../src/connector/stable-channel.ts';
import type { RefusalReason } from '../../src/errors/refusal-reason.ts';
import { parseAddress, type TcpAddress } from '../../src/identity/address.ts';
import type { PeerIdentity } from '../../src/identity/peer-identity.ts';
import { constant, MutableValue } from '../../src/lifecycle/observable-value.ts';
import type { AdmissionAnswer, AdmissionQuestion } from '../../src/messaging/admission-question.ts';
import type { Frame } from '../../src/messaging/frame.ts';
import type { Introduction } from '../../src/messaging/introduction.ts';
import type { NodeProof } from '../../src/messaging/judge-hello.ts';
import { Messages } from '../../src/messaging/messages.ts';
import type { KnownMember, PeerStreamsOptions } from '../../src/messaging/peer-parts.ts';
import { PeerStreams } from '../../src/messaging/peer-streams.ts';
import type { PeerEntry } from '../../src/messaging/peer-table.ts';
import { bindCaller, type Caller } from '../../src/rpc/caller.ts';
import type { Security } from '../../src/rpc/security.ts';
import type { LogFields, Logger } from '../../src/telemetry/logger.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { until } from './until.ts';

export const PLAINTEXT: Security = { kind: 'none', reason: 'plaintext_peer' };
export const mutualTls = (): Security => ({ kind: 'mutual_tls', protocol: 'TLSv1.3', cipher: 'test' });

/** Patient enough for a slow machine: nothing in these tests waits for a timeout unless it is about one. */
const OPTIONS: PeerStreamsOptions = {
  heartbeatIntervalMs: 25,
  heartbeatTimeoutMs: 30_000,
  watchedMembers: 16,
  idleTimeoutMs: 600_000,
  reconnectMaxDelayMs: 50,
  connectTimeoutMs: 30_000,
  helloTimeoutMs: 30_000,
  messages: { maxMessageBytes: 4_194_304, queueBytes: 16_777_216, windowBytes: 1_048_576 },
};

const PEER: Caller = {
  connectionId: 1,
  remoteAddress: '127.0.0.1:1',
  security: PLAINTEXT,
  identity: undefined,
  roles: new Set(['peer']),
  bearer: undefined,
};

export interface LoopbackNodeOptions {
  readonly name: string;
  readonly generation?: number;
  readonly cluster?: string;
  readonly options?: Partial<PeerStreamsOptions>;
  /** 0 (default) takes a free one. */
  readonly port?: number;
  readonly lists?: boolean;
  readonly provesNode?: (name: string) => NodeProof;
  /** What it answers to who asks whether it would be admitted. Default: it does not say. */
  readonly judgeAdmission?: (name: string) => AdmissionAnswer;
}

export interface LogLine extends LogFields {
  readonly event: string;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
}

/**
 * Peer streams over a real grpc-js server and real channels on loopback. What protects a connection is pretended:
 * `inbound` for those that others make, `outbound` for our own.
 */
export class LoopbackNode implements AsyncDisposable {
  readonly name: string;
  readonly streams: PeerStreams;
  readonly messages: Messages;
  /** Who a peer is for what it sends; undefined where nothing of it is taken. */
  guards: (name: string) => Caller | undefined = () => PEER;
  /** Members that spoke mutual TLS. */
  readonly spokeTls: Set<string> = new Set();
  /** Names that are refused. */
  readonly removed: Set<string> = new Set();
  refusesDowngrade = false;
  readonly self: MutableValue<Introduction>;
  readonly members: MutableValue<readonly KnownMember[]> = new MutableValue<readonly KnownMember[]>([]);
  readonly learned: { name: string; addresses: readonly TcpAddress[]; overMutualTls: boolean }[] = [];
  readonly log: LogLine[] = [];
  readonly metrics: Metrics = createMetrics();
  /** What others asked. */
  readonly asked: { name: string; question: AdmissionQuestion }[] = [];
  readonly paused: string[] = [];
  /** Members to whom connections were to be dialled anew, with the certificate that they show now. */
  readonly renewed: { name: string; fingerprint: string }[] = [];
  /** Frames that came in over calls that others made, by kind. */
  readonly received: Record<string, number> = {};
  readonly port: number;
  readonly lists: boolean;
  /** Why nobody may be here or spoken to any more. */
  withdrawal: RefusalReason | undefined;
  /** Fingerprints of certificates that may be here no more. */
  readonly denied: string[] = [];
  /** Of the certificate that those show who dial. */
  identity: PeerIdentity | undefined;
  /** Calls that run over the channel to each member. */
  openCalls = 0;
  inbound: Security = PLAINTEXT;
  outbound: Security = PLAINTEXT;
  readonly #server: grpc.Server;
  readonly #channels = new Map<string, StableChannel>();
  #connections = 0;

  static async start(options: LoopbackNodeOptions): Promise<LoopbackNode> {
    let count: (frame: Frame) => void = () => {};
    let bind: (metadata: grpc.Metadata) => void = () => {};
    const server = new grpc.Server({
      interceptors: [
        (_method, call) =>
          new grpc.ServerInterceptingCall(call, {
            start: next =>
              next({
                onReceiveMetadata: (metadata, forward) => {
                  bind(metadata);
                  forward(metadata);
                },
                onReceiveMessage: (message, forward) => {
                  count(message as Frame);
                  forward(message);
                },
              }),
          }),
      ],
    });
    const port = await listen(server, options.port ?? 0);
    const node = new LoopbackNode(options, server, port);
    count = frame => {
      const kind = frame.body ?? 'unknown';
      node.received[kind] = (node.received[kind] ?? 0) + 1;
    };
    bind = metadata => node.#bind(metadata);
    return node;
  }

  private constructor(options: LoopbackNodeOptions, server: grpc.Server, port: number) {
    this.name = options.name;
    this.#server = server;
    this.port = port;
    this.lists = options.lists ?? true;
    this.self = new MutableValue<Introduction>({
      clusterName: options.cluster ?? 'test',
      nodeName: options.name,
      generation: options.generation ?? 1,
      addresses: [this.address],
      mode: 'plain',
      labels: { role: options.name },
      version: '0.0.0',
      serverCertificateSha256: undefined,
      zone: `zone of ${options.name}`,
      weight: 0,
    });
    this.streams = new PeerStreams({
      self: this.self,
      directory: {
        members: this.members,
        lists: this.lists,
        isRemoved: name => this.removed.has(name),
        member: name => this.members.value.find(member => member.name === name),
        learn: (name, { addresses }, overMutualTls) => void this.learned.push({ name, addresses, overMutualTls }),
        spokeTls: name => this.spokeTls.has(name),
        refusesPlaintext: name => this.refusesDowngrade && this.spokeTls.has(name),
      },
      connector: {
        channel: name => {
          const channel = this.#channel(name);
          return {
            impatient: channel.impatient,
            failure: channel.failure,
            pause: () => void this.paused.push(name),
            retryNow: () => {},
          };
        },
        securityOf: name => (this.#channels.get(name)?.security === undefined ? undefined : this.outbound),
        openCallsTo: () => this.openCalls,
        connections: [],
        withdrawalOf: () => this.withdrawal,
        renewOthers: (name, fingerprint) => void this.renewed.push({ name, fingerprint }),
      },
      judgeAdmission: (name, _identity, question) => {
        this.asked.push({ name, question });
        return options.judgeAdmission?.(name) ?? { judged: false };
      },
      guardOf: facts => ({
        caller: () => this.guards(facts.introduction.nodeName),
        decide: () => ({ allowed: true, policy: 'test', rule: '' }),
        interceptor: (_method, call) => new grpc.ServerInterceptingCall(call),
      }),
      wayOf: () => ({ takesCalls: () => true, takesMessages: () => true }),
      serve: (request, guard, from) => this.messages.serve(request, guard, from),
      isDenied: ({ fingerprint256 }) => this.denied.includes(fingerprint256),
      withdrawalOf: () => this.withdrawal,
      provesNode: options.provesNode ?? (() => ({ ok: true })),
      options: { ...OPTIONS, ...options.options },
      logger: collectingLogger(this.log),
      metrics: this.metrics,
    });
    this.messages = new Messages({
      nodeName: options.name,
      exchangeWith: name => this.streams.exchanges.with(name),
      nodesWith: () => this.members.value.map(member => member.name),
      logger: collectingLogger(this.log),
      metrics: this.metrics.messages,
    });
    server.addService(this.streams.service.definition, this.streams.service.implementation);
  }

  get address(): TcpAddress {
    return loopback(this.port);
  }

  /** Lists these nodes as members, under their own names unless told otherwise. */
  knows(...others: readonly { readonly name: string; readonly address: TcpAddress }[]): this {
    this.members.set(others.map(({ name, address }) => ({ name, addresses: [address], labels: {} })));
    return this;
  }

  peer(name: string): PeerEntry | undefined {
    return this.streams.peers.value.find(peer => peer.name === name);
  }

  logged(event: string): readonly LogLine[] {
    return this.log.filter(line => line.event === event);
  }

  async refusals(reason: RefusalReason): Promise<number> {
    const { values } = await this.metrics.connectionsRefused.get();
    return values.find(({ labels }) => labels.reason === reason)?.value ?? 0;
  }

  /** Ends everything at once, as a process that is killed. */
  kill(): void {
    this.#server.forceShutdown();
    for (const channel of this.#channels.values()) channel.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.streams.close();
    this.kill();
  }

  #bind(metadata: grpc.Metadata): void {
    this.#connections += 1;
    bindCaller(metadata, {
      connectionId: this.#connections,
      remoteAddress: '127.0.0.1:1',
      security: this.inbound,
      identity: this.identity,
      roles: new Set(['peer']),
      bearer: undefined,
    });
  }

  #channel(name: string): StableChannel {
    const known = this.#channels.get(name);
    if (known !== undefined) return known;
    const [address] = this.members.value.find(member => member.name === name)?.addresses ?? [];
    if (address?.kind !== 'tcp') throw new TypeError(`${name} has no address`);
    const channel = new StableChannel({
      name,
      plan: constant({
        dials: [
          {
            target: { scheme: 'http', address, reason: 'mode_plain' },
            security: { kind: 'none', reason: 'mode_plain' },
            epoch: '1',
            standard: '',
          },
        ],
        mayKeepPlaintext: true,
      }),
      options: {
        connectTimeoutMs: 30_000,
        reconnectMaxDelayMs: 100,
        maxMessageBytes: 4_194_304,
        drainTimeoutMs: 30_000,
        idleTimeoutMs: 600_000,
        holdTimeoutMs: 30_000,
        refusedHoldTimeoutMs: 30_000,
      },
      metrics: this.metrics,
      watcher: () => ({ connected: () => {}, failed: () => {} }),
    });
    this.#channels.set(name, channel);
    return channel;
  }
}

export function loopback(port: number, scheme: 'http' | 'https' = 'http'): TcpAddress {
  const address = parseAddress(`${scheme}://127.0.0.1:${port}`);
  if (address.kind !== 'tcp') throw new TypeError('unreachable');
  return address;
}

export function listen(server: grpc.Server, port = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
}

function collectingLogger(lines: LogLine[]): Logger {
  const at = (level: LogLine['level']) => (event: string, fields?: LogFields) =>
    void lines.push({ ...fields, event, level });
  const [debug, info, warn, error] = [at('debug'), at('info'), at('warn'), at('error')];
  const logger: Logger = { debug, info, warn, error, child: () => logger, setLevel: () => {} };
  return logger;
}

/** Resolves when both have the same one stream. */
export async function connected(a: LoopbackNode, b: LoopbackNode): Promise<void> {
  await until(
    `${a.name} and ${b.name} agree on one stream`,
    () =>
      a.peer(b.name)?.state === 'connected' &&
      b.peer(a.name)?.state === 'connected' &&
      a.peer(b.name)?.direction !== b.peer(a.name)?.direction,
  );
}
