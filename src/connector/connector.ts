import type { PeerChain, PeerVerdict } from '../credentials/judge-peer.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import { isSelvedgeError, messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import { type Address, formatAddress, parseAddress } from '../identity/address.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import { PacedTurns } from '../lifecycle/paced-turns.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import type { Security } from '../rpc/security.ts';
import { certificateFields } from '../telemetry/certificate-fields.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { DialWatcher } from './dial.ts';
import type { DialPlan, PlannedDial } from './dial-plan.ts';
import { explainServer, type ServerExplanation } from './explain-server.ts';
import { judgeServer } from './judge-server.ts';
import { type OutboundConnection, OutboundConnections } from './outbound-connections.ts';
import { planDials, securityFor } from './plan-dials.ts';
import { refusedServer } from './refused-server.ts';
import { StableChannel, type StableChannelOptions } from './stable-channel.ts';
import type { OutboundPolicy } from './trust-profile.ts';

/** Who can be dialled and where; in a node, its member directory. */
export interface Destinations {
  /** Changes whenever an answer of `member` may have changed. */
  readonly members: ObservableValue<unknown>;
  member(nodeName: string): { readonly addresses: readonly Address[]; readonly tlsOnly?: true } | undefined;
  /** Told that a member refused plaintext, so it speaks TLS. */
  learnTls(nodeName: string): void;
}

export interface ConnectorParts {
  /** The name of this node, which it does not dial. */
  readonly self?: string;
  readonly directory: Destinations;
  readonly policy: ObservableValue<OutboundPolicy>;
  readonly options: StableChannelOptions;
  /** Told of the certificate of each connection that opens; what it returns is called when that closes. Default: nobody. */
  readonly followPeer?: (identity: PeerIdentity) => () => void;
  /** Told of each dial that this node refuses. Default: nobody. */
  readonly refused?: (peer: RefusedPeer) => void;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

interface Route {
  readonly channel: StableChannel;
  readonly plan: MutableValue<DialPlan>;
  readonly renewals: PacedTurns;
  /** Of the newest refusal that was logged; a dial that fails alike again is not logged again. */
  lastProblem: string;
}

/** Between two channels that dial anew after a rotation. */
const DIAL_PACE_MS = 10;
/** Between two renewals of one channel that its member asks for: it may say what it likes. */
const RENEWAL_PACE_MS = 1_000;

/**
 * Channels to members, one each, shared by all who call that member and kept until the connector closes.
 *
 * K1. The plan of each channel is made anew whenever members, policy or a trust snapshot change, and the servers of open
 *     connections are judged again when one of the latter two does.
 * K2. A dial that fails for a reason is logged once per distinct reason and counted each time.
 * K3. A closed connector dials nobody: a channel that is asked for then is a closed one.
 */
export class Connector {
  readonly #parts: ConnectorParts;
  readonly #routes = new Map<string, Route>();
  readonly #connections: OutboundConnections;
  readonly #unsubscribe: (() => void)[] = [];
  #trustSubscriptions: (() => void)[] = [];
  readonly #turns = new PacedTurns(DIAL_PACE_MS);
  #isClosed = false;
  /** Called before an open connection must go because its server may no longer be spoken to. */
  onWithdrawn: (connection: OutboundConnection, reason: RefusalReason) => void = () => {};
  /** Called at each call to a member, those of who retries himself left out. */
  onCalled: (nodeName: string) => void = () => {};
  /** Called when calls to a member go over another connection than before. */
  onConnected: (nodeName: string) => void = () => {};

  constructor(parts: ConnectorParts) {
    this.#parts = parts;
    this.#connections = new OutboundConnections({
      metrics: parts.metrics,
      logger: parts.logger,
      judge: (connection, chain) => this.#judge(connection, chain),
      graceMs: () => parts.policy.value.withdrawalGraceMs,
      withdrawn: (connection, reason) => this.onWithdrawn(connection, reason),
      ...(parts.followPeer === undefined ? {} : { followPeer: parts.followPeer }),
    });
    this.#unsubscribe.push(
      parts.directory.members.subscribe(() => this.#replan()),
      parts.policy.subscribe(() => {
        this.#watchTrust();
        this.#replan();
        void this.#connections.review();
      }),
    );
    this.#watchTrust();
  }

  /** The channel to a member. It dials at the first call, or at `connect()`. */
  channel(nodeName: string): StableChannel {
    const known = this.#routes.get(nodeName);
    if (known !== undefined) return known.channel;
    const plan = new MutableValue<DialPlan>(this.#plan(nodeName));
    const { options, metrics } = this.#parts;
    const channel = new StableChannel({
      name: nodeName,
      plan,
      options,
      metrics,
      watcher: planned => this.#watch(nodeName, planned),
      called: () => this.onCalled(nodeName),
      connected: () => this.onConnected(nodeName),
    });
    if (this.#isClosed) {
      channel.close();
      return channel;
    }
    const renewals = new PacedTurns(RENEWAL_PACE_MS);
    this.#routes.set(nodeName, { channel, plan, renewals, lastProblem: '' });
    this.#judgePlan(nodeName, plan.value);
    return channel;
  }

  /** What protects the connection to a member that calls go over now. */
  securityOf(nodeName: string): Security | undefined {
    return this.#routes.get(nodeName)?.channel.security;
  }

  /** Calls to a member that run or wait, those of who retries himself left out. */
  openCallsTo(nodeName: string): number {
    return this.#routes.get(nodeName)?.channel.openCalls ?? 0;
  }

  /**
   * The member shows the certificate of this fingerprint now (SHA-256, lowercase hex): where it showed another when it
   * was dialled, a new connection takes over. Calls that run go on to their end over the old one.
   */
  renewOthers(nodeName: string, fingerprint256: string): void {
    const renew = () => this.#connections.renewOthers(nodeName, fingerprint256);
    this.#routes.get(nodeName)?.renewals.add(nodeName, () => this.#turns.add(`renewal of ${nodeName}`, renew));
  }

  /** Why the server of an open connection may no longer be spoken to; undefined while it may. */
  withdrawalOf(security: Security): RefusalReason | undefined {
    return this.#connections.withdrawalOf(security);
  }

  get connections(): readonly OutboundConnection[] {
    return this.#connections.all;
  }

  /** What the server of an open connection presented; undefined without TLS. */
  chainOf(connection: OutboundConnection): PeerChain | undefined {
    return this.#connections.chainOf(connection.id);
  }

  /** The verdict of now on the server of an open connection, and what it follows from; undefined where there is none. */
  explain(connection: OutboundConnection): ServerExplanation | undefined {
    const chain = this.chainOf(connection);
    const address = parseAddress(connection.address);
    if (chain === undefined || address.kind === 'unix') return undefined;
    return explainServer(connection.nodeName, address, chain, this.#parts.policy.value, new Date());
  }

  close(): void {
    this.#isClosed = true;
    for (const stop of [...this.#unsubscribe, ...this.#trustSubscriptions]) stop();
    for (const { channel, renewals } of this.#routes.values()) {
      channel.close();
      renewals.close();
    }
    this.#connections.close();
    this.#turns.close();
    this.#routes.clear();
  }

  #plan(nodeName: string): DialPlan {
    if (nodeName === this.#parts.self)
      return {
        error: new SelvedgeError('member_unknown', `${nodeName} is this node itself`, { node: nodeName }),
      };
    const member = this.#parts.directory.member(nodeName);
    return planDials(nodeName, member?.addresses, this.#parts.policy.value, member?.tlsOnly);
  }

  #replan(): void {
    for (const [nodeName, route] of this.#routes) this.#replanOne(nodeName, route);
  }

  #replanOne(nodeName: string, route: Route): void {
    const next = this.#plan(nodeName);
    if (samePlan(route.plan.value, next)) return;
    route.plan.set(next);
    this.#judgePlan(nodeName, next);
  }

  /** After a rotation: hundreds of handshakes at once would hold up everything else, here and at the other ends. */
  #replanSpread(): void {
    for (const [nodeName, route] of this.#routes) this.#turns.add(nodeName, () => this.#replanOne(nodeName, route));
  }

  #judge({ nodeName, address }: OutboundConnection, chain: PeerChain): PeerVerdict | undefined {
    const target = parseAddress(address);
    if (target.kind === 'unix') return undefined;
    const security = securityFor(nodeName, target, this.#parts.policy.value);
    // There is no profile for it any more: the plan takes care of it.
    if (security === undefined) return undefined;
    const { trust, expectation, denied = [] } = security;
    return judgeServer(chain, { trust: trust.value, expectation, denied, host: target.host }, new Date());
  }

  /** A plan that cannot be dialled is a dial that we refuse, once for as long as it stays so. */
  #judgePlan(nodeName: string, plan: DialPlan): void {
    if (!('error' in plan) || !isSelvedgeError(plan.error, 'refused')) return;
    const addresses = this.#parts.directory.member(nodeName)?.addresses ?? [];
    this.#failed(nodeName, addresses.map(formatAddress).join(','), plan.error);
  }

  #watchTrust(): void {
    for (const stop of this.#trustSubscriptions) stop();
    const trusts = new Set(this.#parts.policy.value.profiles.map(profile => profile.trust));
    this.#trustSubscriptions = [...trusts].map(trust =>
      trust.subscribe(() => {
        this.#replanSpread();
        void this.#connections.review();
      }),
    );
  }

  #watch(nodeName: string, planned: PlannedDial): DialWatcher {
    const address = formatAddress(planned.target.address);
    return {
      connected: (socket, facts, hold) => {
        this.#connections.add(socket, { ...facts, address, nodeName }, hold);
        const route = this.#routes.get(nodeName);
        if (route !== undefined) route.lastProblem = '';
      },
      failed: error => this.#failed(nodeName, address, error),
    };
  }

  #failed(nodeName: string, address: string, error: unknown): void {
    const { logger, metrics, directory, policy } = this.#parts;
    const refused = isSelvedgeError(error, 'refused') ? error.facts : undefined;
    if (refused !== undefined) metrics.connectionsRefused.inc({ reason: refused.reason });
    if (refused?.by === 'us')
      this.#parts.refused?.({
        direction: 'outbound',
        remoteAddress: address,
        claimedNode: nodeName,
        reason: refused.reason,
        detail: refused.detail,
        identity: refusedServer(error),
      });
    const route = this.#routes.get(nodeName);
    const problem = `${address} ${messageOf(error)}`;
    if (route !== undefined && route.lastProblem !== problem) {
      route.lastProblem = problem;
      const facts = { direction: 'outbound', node: nodeName, address };
      if (refused === undefined) logger.warn('dial.failed', { ...facts, detail: messageOf(error) });
      else logger.warn('connection.refused', { ...facts, ...refused, ...certificateFields(refusedServer(error)) });
    }
    if (refused?.reason === 'plaintext_refused' && policy.value.mode === 'optional') directory.learnTls(nodeName);
  }
}

/** Equal when every open connection of one satisfies the other, and so does who answers there. */
function samePlan(a: DialPlan, b: DialPlan): boolean {
  if ('error' in a || 'error' in b) return 'error' in a && 'error' in b && a.error.message === b.error.message;
  return (
    a.mayKeepPlaintext === b.mayKeepPlaintext &&
    a.dials.length === b.dials.length &&
    a.dials.every(({ epoch, standard }, index) => {
      const other = b.dials[index];
      return epoch === other?.epoch && standard === other.standard;
    })
  );
}
