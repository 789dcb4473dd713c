import type { OutboundConnection } from '../connector/outbound-connections.ts';
import type { PeerChain } from '../credentials/judge-peer.ts';
import { formatHostPort, parseAddress } from '../identity/address.ts';
import { atTime } from '../lifecycle/at-time.ts';
import { ConnectionCalls } from '../listener/connection-calls.ts';
import type { Standing } from '../listener/connection-standing.ts';
import type { CallRules } from '../listener/listener-policy.ts';
import type { Caller } from '../rpc/caller.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import { certificateFields } from '../telemetry/certificate-fields.ts';
import { type Logger, printable } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { DialledStanding, type DialledStandingParts } from './dialled-standing.ts';

export interface DialledPeerParts extends Omit<DialledStandingParts, 'authorize'> {
  readonly rules: CallRules;
  /** How long calls may go on that their caller may no longer make, in milliseconds. */
  readonly graceMs: () => number;
  readonly refused: (peer: RefusedPeer) => void;
  readonly onCallFailed: (path: string, error: unknown) => void;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

type Refusal = Extract<Standing, { admitted: false }>;

/**
 * The peer of a connection that this node dialled, as one that sends over it.
 *
 * P1. Nothing of who may send nothing is taken; that is told once for each reason, when it sends.
 * P2. Running calls of who loses its place are cut after the grace, with the reason; those that rules or roles no longer
 *     allow too. Who is admitted again meanwhile keeps them. What a certificate ends has had its grace.
 */
export class DialledPeer {
  readonly calls: ConnectionCalls;
  readonly #connection: OutboundConnection;
  readonly #standing: DialledStanding;
  readonly #parts: DialledPeerParts;
  #told: string | undefined;
  #cutTimer: NodeJS.Timeout | undefined;
  #stopAwaiting: () => void = () => {};

  /** @param chain what its server presented; undefined without TLS. */
  constructor(connection: OutboundConnection, chain: PeerChain | undefined, parts: DialledPeerParts) {
    const { id, address, security, identity } = connection;
    this.#connection = connection;
    this.#parts = parts;
    const remoteAddress = remoteOf(address);
    const caller = { connectionId: id, remoteAddress, security, identity, roles: new Set<never>(), bearer: undefined };
    this.#standing = new DialledStanding(connection, chain, caller, { ...parts, authorize: parts.rules.authorize });
    this.calls = new ConnectionCalls({ ...parts, caller, standing: this.#standing });
    this.review();
  }

  /** Who sends; undefined where nobody may. */
  caller(): Caller | undefined {
    const { now } = this.calls;
    if (!('admitted' in now)) return now;
    this.#tell(now);
    return undefined;
  }

  /** Holds the calls that run against what holds now. */
  review(): void {
    const standing = this.#standing.now;
    this.#stopAwaiting();
    if (!standing.admitted) return this.#withdraw(standing);
    this.#told = undefined;
    clearTimeout(this.#cutTimer);
    this.#cutTimer = undefined;
    this.calls.hold(standing.roles, this.#parts.graceMs());
    this.#stopAwaiting = atTime(standing.validUntilMs, () => this.review());
  }

  close(): void {
    this.#stopAwaiting();
  }

  #withdraw(standing: Refusal): void {
    if (this.calls.active === 0 || this.#cutTimer !== undefined) return;
    this.#tell(standing);
    const { reason } = standing;
    const graceMs = reason === 'certificate_expired' ? 0 : this.#parts.graceMs();
    const details = `this node no longer admits the certificate of this connection (${reason})`;
    this.#cutTimer = setTimeout(() => {
      this.#cutTimer = undefined;
      this.calls.cut(details, reason);
    }, graceMs).unref();
  }

  #tell({ reason, detail, identity }: Refusal): void {
    if (this.#told === reason) return;
    this.#told = reason;
    const { refused, logger } = this.#parts;
    const { id: connectionId, nodeName, address: remoteAddress, identity: ofServer } = this.#connection;
    const who = identity ?? ofServer;
    const facts = { direction: 'outbound', remoteAddress, connectionId, claimedNode: nodeName } as const;
    refused({ ...facts, reason, detail, identity: who });
    logger.warn('peer.not_admitted', {
      node: nodeName,
      connection: connectionId,
      address: remoteAddress,
      reason,
      detail: printable(detail),
      ...certificateFields(who),
    });
  }
}

function remoteOf(dialled: string): string {
  const address = parseAddress(dialled);
  return address.kind === 'unix' ? 'unix' : formatHostPort(address);
}
