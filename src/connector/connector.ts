import { isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import { type Address, formatAddress } from '../identity/address.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { Security } from '../rpc/security.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { DialPlan, PlannedDial } from './dial-plan.ts';
import type { DialListener } from './fabric-channel-credentials.ts';
import { type OutboundConnection, OutboundConnections } from './outbound-connections.ts';
import { planDials } from './plan-dials.ts';
import { StableChannel, type StableChannelOptions } from './stable-channel.ts';
import type { OutboundPolicy } from './trust-profile.ts';

/** Who can be dialled and where; in a node, its member directory. */
export interface Destinations {
  /** Changes whenever an answer of `member` may have changed. */
  readonly members: ObservableValue<unknown>;
  member(nodeName: string): { readonly addresses: readonly Address[] } | undefined;
  /** Told that a member refused plaintext, so it speaks TLS. */
  learnTls(nodeName: string): void;
}

export interface ConnectorParts {
  readonly directory: Destinations;
  readonly policy: ObservableValue<OutboundPolicy>;
  readonly options: StableChannelOptions;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

interface Route {
  readonly channel: StableChannel;
  readonly plan: MutableValue<DialPlan>;
  /** Of the newest refusal that was logged; a dial that fails alike again is not logged again. */
  lastProblem: string;
}

/**
 * Channels to members, one each, shared by all who call that member and kept until the connector closes.
 *
 * K1. The plan of each channel is made anew whenever members, policy or a trust snapshot change.
 * K2. A dial that fails for a reason is logged once per distinct reason and counted each time.
 */
export class Connector {
  readonly #parts: ConnectorParts;
  readonly #routes = new Map<string, Route>();
  readonly #connections: OutboundConnections;
  readonly #unsubscribe: (() => void)[] = [];
  #trustSubscriptions: (() => void)[] = [];

  constructor(parts: ConnectorParts) {
    this.#parts = parts;
    this.#connections = new OutboundConnections(parts.metrics);
    this.#unsubscribe.push(
      parts.directory.members.subscribe(() => this.#replan()),
      parts.policy.subscribe(() => {
        this.#watchTrust();
        this.#replan();
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
      listener: planned => this.#listen(nodeName, planned),
    });
    this.#routes.set(nodeName, { channel, plan, lastProblem: '' });
    this.#judgePlan(nodeName, plan.value);
    return channel;
  }

  /** What protects the connection to a member that calls go over now. */
  securityOf(nodeName: string): Security | undefined {
    return this.#routes.get(nodeName)?.channel.security;
  }

  get connections(): readonly OutboundConnection[] {
    return this.#connections.all;
  }

  close(): void {
    for (const stop of [...this.#unsubscribe, ...this.#trustSubscriptions]) stop();
    for (const { channel } of this.#routes.values()) channel.close();
    this.#routes.clear();
  }

  #plan(nodeName: string): DialPlan {
    return planDials(nodeName, this.#parts.directory.member(nodeName)?.addresses, this.#parts.policy.value);
  }

  #replan(): void {
    for (const [nodeName, route] of this.#routes) {
      const next = this.#plan(nodeName);
      if (samePlan(route.plan.value, next)) continue;
      route.plan.set(next);
      this.#judgePlan(nodeName, next);
    }
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
    this.#trustSubscriptions = [...trusts].map(trust => trust.subscribe(() => this.#replan()));
  }

  #listen(nodeName: string, planned: PlannedDial): DialListener {
    const address = formatAddress(planned.target.address);
    return {
      connected: (socket, facts) => {
        this.#connections.add(socket, { ...facts, address, nodeName });
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
    const route = this.#routes.get(nodeName);
    const problem = `${address} ${messageOf(error)}`;
    if (route !== undefined && route.lastProblem !== problem) {
      route.lastProblem = problem;
      const facts = { direction: 'outbound', node: nodeName, address };
      if (refused === undefined) logger.warn('dial.failed', { ...facts, detail: messageOf(error) });
      else logger.warn('connection.refused', { ...facts, ...refused });
    }
    if (refused?.reason === 'plaintext_refused' && policy.value.mode === 'optional') directory.learnTls(nodeName);
  }
}

/** Equal when every open connection of one satisfies the other. */
function samePlan(a: DialPlan, b: DialPlan): boolean {
  if ('error' in a || 'error' in b) return 'error' in a && 'error' in b && a.error.message === b.error.message;
  return (
    a.mayKeepPlaintext === b.mayKeepPlaintext &&
    a.dials.length === b.dials.length &&
    a.dials.every((dial, index) => dial.epoch === b.dials[index]?.epoch)
  );
}
