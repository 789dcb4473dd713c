import type * as grpc from '@grpc/grpc-js';
import { CallServer } from '../calls/call-server.ts';
import { UnaryChannel } from '../calls/unary-channel.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { InboundRequest } from '../exchange/inbound-request.ts';
import type { PeerExchange } from '../exchange/peer-exchange.ts';
import type { RequestRoute } from '../exchange/request-route.ts';
import type { ExchangeLimits } from '../exchange/stream-exchange.ts';
import { atMost } from '../lifecycle/at-most.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { FabricListener } from '../listener/fabric-listener.ts';
import type { Admit, CallRules, ListenerPolicy } from '../listener/listener-policy.ts';
import { Messages } from '../messaging/messages.ts';
import type { PeerStreams } from '../messaging/peer-streams.ts';
import { type SelfExchange, selfExchange } from '../messaging/self-exchange.ts';
import type { Caller } from '../rpc/caller.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import type { NodeParts } from './node-parts.ts';
import { ownMembership } from './own-membership.ts';
import { StreamGuards } from './stream-guards.ts';

export interface NodeExchangeParts {
  readonly node: NodeParts;
  /** Whose unary methods are served to peers that call over their stream. */
  readonly services: readonly {
    readonly definition: grpc.ServiceDefinition;
    readonly implementation: grpc.UntypedServiceImplementation;
  }[];
  readonly listener: FabricListener;
  readonly rules: CallRules;
  readonly policy: ObservableValue<ListenerPolicy>;
  readonly admit: ObservableValue<Admit>;
  readonly streams: PeerStreams;
  /** Whether the node takes no new messages of its application any more. */
  readonly isClosed: () => boolean;
}

/** What goes over the peer streams of a node beside their own frames: messages and unary calls, in both directions. */
export class NodeExchange {
  readonly messages: Messages;
  readonly guards: StreamGuards;
  readonly #parts: NodeExchangeParts;
  readonly #calls: CallServer;
  readonly #channels = new Map<string, UnaryChannel>();
  readonly #self: SelfExchange;

  constructor(parts: NodeExchangeParts) {
    const { node, services, listener } = parts;
    const { settings, credentials, connector, directory, outbound, audit, logger, metrics } = node;
    const { nodeName } = settings.value;
    this.#parts = parts;
    this.guards = node.closing.use(
      'guards of streams',
      new StreamGuards({
        listener,
        connector,
        directory,
        trust: credentials.server,
        outbound,
        admit: parts.admit,
        rules: parts.rules,
        graceMs: () => parts.policy.value.withdrawalGraceMs,
        refused: peer => audit.refused(peer),
        logger,
        metrics,
      }),
    );
    this.#calls = new CallServer(services, {
      host: nodeName,
      maxReplyBytes: settings.value.networking.maxMessageBytes,
    });
    this.messages = new Messages({
      nodeName,
      exchangeWith: name => this.#exchangeWith(name),
      nodesWith: labels => this.#nodesWith(labels),
      logger,
      metrics: metrics.messages,
    });
    this.#self = selfExchange(
      messageLimits(node),
      () => this.#own(),
      (request, guard) => this.messages.serve(request, guard, nodeName),
    );
  }

  /** Serves what a peer sent: a unary call where the name is the path of a method, or else a message. */
  serve(request: InboundRequest, guard: StreamGuard, node: string): void {
    if (request.name.startsWith('/')) this.#calls.serve(request, guard);
    else this.messages.serve(request, guard, node);
  }

  /** The channel to a member for unary calls; the others of the same client go over `channel`. */
  unaryChannel(name: string, channel: grpc.ChannelInterface): UnaryChannel {
    const known = this.#channels.get(name);
    if (known !== undefined) return known;
    const { settings, metrics } = this.#parts.node;
    const { maxStreamedCallBytes, maxMessageBytes } = settings.value.networking;
    const { exchanges } = this.#parts.streams;
    const route: RequestRoute = {
      tryRequest: (request, settle) => exchanges.known(name)?.tryRequest(request, settle),
    };
    const made = new UnaryChannel({
      name,
      route,
      channel,
      calls: metrics.clientCalls,
      maxRequestBytes: maxStreamedCallBytes,
      maxReplyBytes: maxMessageBytes,
    });
    this.#channels.set(name, made);
    return made;
  }

  /** Resolves when no message of a peer or of this node is being served any more, at the latest after `timeoutMs`. */
  async settled(timeoutMs: number): Promise<void> {
    const { exchanges } = this.#parts.streams;
    await Promise.all([exchanges.settled(timeoutMs), atMost(timeoutMs, this.#self.settled())]);
  }

  /** Fails what this node sent to itself; what it sent to others the peer streams fail when they close. */
  close(): void {
    this.#self.exchange.close('node_closed');
  }

  #exchangeWith(name: string): PeerExchange {
    const { node, streams, isClosed } = this.#parts;
    const { nodeName } = node.settings.value;
    if (isClosed()) throw new SelvedgeError('node_closed', 'the node is closed', { node: nodeName });
    if (name === nodeName) return this.#self.exchange;
    const known = streams.exchanges.known(name);
    if (known !== undefined) return known;
    if (node.directory.member(name) === undefined)
      throw new SelvedgeError('member_unknown', `no member is called ${name}`, { node: name });
    return streams.exchanges.with(name);
  }

  #nodesWith(labels: Readonly<Record<string, string>>): readonly string[] {
    const { node, streams } = this.#parts;
    const { nodeName } = node.settings.value;
    const { labels: own } = ownMembership(node.members.membership.view.value, node.settings.value);
    const wanted = Object.entries(labels);
    return [{ name: nodeName, labels: own }, ...streams.peers.value]
      .filter(({ labels: held }) => wanted.every(([label, value]) => held[label] === value))
      .map(({ name }) => name);
  }

  #own(): Caller {
    return {
      connectionId: 0,
      remoteAddress: 'self',
      security: { kind: 'none', reason: 'same_process' },
      identity: this.#parts.node.credentials.server.value?.own.identity,
      roles: new Set(['peer']),
      bearer: undefined,
    };
  }
}

/** Bounds of what goes over the peer streams. */
export function messageLimits({ settings }: Pick<NodeParts, 'settings'>): ExchangeLimits {
  const { maxMessageBytes, messageQueueBytes, messageWindowBytes } = settings.value.networking;
  return { maxMessageBytes, queueBytes: messageQueueBytes, windowBytes: messageWindowBytes };
}
