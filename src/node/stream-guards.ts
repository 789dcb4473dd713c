import type { Connector } from '../connector/connector.ts';
import { messageOf } from '../errors/selvedge-error.ts';
import { inSlices } from '../lifecycle/in-slices.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { ConnectionCalls } from '../listener/connection-calls.ts';
import type { FabricListener } from '../listener/fabric-listener.ts';
import type { InboundConnection } from '../listener/inbound-connection.ts';
import type { PeerStreamFacts } from '../messaging/stream-facts.ts';
import type { Caller } from '../rpc/caller.ts';
import { messagePath } from '../rpc/message-path.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import type { StreamWay } from '../rpc/stream-way.ts';
import type { MethodCalls } from '../telemetry/call-metrics.ts';
import { DialledPeer, type DialledPeerParts } from './dialled-peer.ts';
import { MessageDecisions } from './message-decisions.ts';
import { NOBODY } from './nobody.ts';
import { LiveStreamWay, type StreamWayParts } from './stream-ways.ts';

export interface StreamGuardsParts extends Omit<DialledPeerParts, 'onCallFailed'>, StreamWayParts {
  readonly listener: Pick<FabricListener, 'connection'>;
  readonly connector: Pick<Connector, 'connections' | 'chainOf' | 'securityOf'>;
}

/** Of a stream, what says who is at its other end. */
export type GuardedFacts = Pick<PeerStreamFacts, 'direction' | 'security' | 'identity' | 'connectionId'> & {
  readonly introduction: Pick<PeerStreamFacts['introduction'], 'nodeName' | 'serverCertificateSha256'>;
};

/**
 * Who is at the other end of each peer stream, for what comes over it and for what goes.
 *
 * G1. What comes over a stream is judged as what comes over the connection under it: the same caller, rules, audit and
 *     counters, the same end of running calls. One that the peer dialled is judged by the listener; one that this node
 *     dialled as the listener would judge it ({@link DialledPeer}).
 * G2. Where the connection is not known any more, nobody is there.
 */
export class StreamGuards {
  readonly #parts: StreamGuardsParts;
  readonly #onCallFailed: DialledPeerParts['onCallFailed'];
  /** Of messages of all kinds: a kind is a word of the peer, and no label. */
  readonly #counted: MethodCalls;
  readonly #inbound = new WeakMap<InboundConnection, StreamGuard>();
  readonly #dialled = new Map<number, { readonly peer: DialledPeer; readonly guard: StreamGuard }>();
  readonly #unsubscribe: readonly (() => void)[];
  #isReviewing = false;
  #isStale = false;

  constructor(parts: StreamGuardsParts) {
    const { logger, metrics, trust, admit, rules, outbound, directory } = parts;
    this.#parts = parts;
    this.#onCallFailed = (method, error) => logger.error('listener.error', { method, error: messageOf(error) });
    this.#counted = metrics.serverCalls.of(messagePath(''));
    const sources: readonly ObservableValue<unknown>[] = [trust, admit, rules.authorize, outbound, directory.members];
    this.#unsubscribe = sources.map(value => value.subscribe(() => void this.#review()));
  }

  /** For what comes over a stream. Streams over one connection share it. */
  guardOf(facts: GuardedFacts): StreamGuard {
    return facts.direction === 'inbound' ? this.#ofInbound(facts) : this.#ofDialled(facts);
  }

  /** For what goes over a stream. */
  wayOf(facts: GuardedFacts): StreamWay {
    const { connector } = this.#parts;
    const { direction, introduction, security } = facts;
    const inbound = this.#inboundUnder(facts);
    const isStaying =
      direction === 'outbound'
        ? () => connector.securityOf(introduction.nodeName) === security
        : () => inbound !== undefined && inbound.closeReason === undefined;
    const shown = inbound && { chain: inbound.standing.chain, ownFingerprint256: inbound.ownFingerprint256 };
    return new LiveStreamWay(facts, shown, this.#parts, isStaying);
  }

  close(): void {
    for (const stop of this.#unsubscribe) stop();
    for (const { peer } of this.#dialled.values()) peer.close();
  }

  #inboundUnder({ connectionId }: GuardedFacts): InboundConnection | undefined {
    return connectionId === undefined ? undefined : this.#parts.listener.connection(connectionId);
  }

  #ofInbound(facts: GuardedFacts): StreamGuard {
    const connection = this.#inboundUnder(facts);
    if (connection === undefined) return NOBODY;
    const known = this.#inbound.get(connection);
    if (known !== undefined) return known;
    const guard = this.#guard(connection.calls, () => {
      const { now } = connection.calls;
      return connection.closeReason !== undefined || 'admitted' in now ? undefined : now;
    });
    this.#inbound.set(connection, guard);
    return guard;
  }

  #ofDialled({ introduction, security }: GuardedFacts): StreamGuard {
    const { connector } = this.#parts;
    const open = connector.connections;
    this.#forgetAllBut(new Set(open.map(({ id }) => id)));
    const connection = open.findLast(each => each.nodeName === introduction.nodeName && each.security === security);
    if (connection === undefined) return NOBODY;
    const known = this.#dialled.get(connection.id);
    if (known !== undefined) return known.guard;
    const parts = { ...this.#parts, onCallFailed: this.#onCallFailed };
    const peer = new DialledPeer(connection, connector.chainOf(connection), parts);
    const guard = this.#guard(peer.calls, () => peer.caller());
    this.#dialled.set(connection.id, { peer, guard });
    return guard;
  }

  #guard({ interceptor }: ConnectionCalls, caller: () => Caller | undefined): StreamGuard {
    const { rules } = this.#parts;
    const decisions = new MessageDecisions({ rules, counted: this.#counted, failed: this.#onCallFailed });
    return { caller, decide: (sender, kind) => decisions.decide(sender, kind), interceptor };
  }

  #forgetAllBut(open: ReadonlySet<number>): void {
    for (const [id, { peer }] of this.#dialled) {
      if (open.has(id)) continue;
      peer.close();
      this.#dialled.delete(id);
    }
  }

  /** Of running calls; what arrives is judged by what holds when it does. */
  async #review(): Promise<void> {
    this.#isStale = true;
    if (this.#isReviewing) return;
    this.#isReviewing = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        // Not in the turn of the change: what follows from it is in place then.
        await Promise.resolve();
        this.#forgetAllBut(new Set(this.#parts.connector.connections.map(({ id }) => id)));
        await inSlices(this.#dialled.values(), ({ peer }) => peer.review());
      }
    } catch (error) {
      this.#parts.logger.error('listener.error', { error: messageOf(error) });
    } finally {
      this.#isReviewing = false;
    }
  }
}
