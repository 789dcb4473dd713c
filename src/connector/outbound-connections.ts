import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type PeerChain, type PeerVerdict, readPeerChain } from '../credentials/judge-peer.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { atTime } from '../lifecycle/at-time.ts';
import { inSlices } from '../lifecycle/in-slices.ts';
import { nextConnectionId } from '../rpc/connection-id.ts';
import type { Security } from '../rpc/security.ts';
import { certificateFields } from '../telemetry/certificate-fields.ts';
import { type Logger, printable } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { renewalTime } from './renewal-time.ts';

/** One connection this process dialled. */
export interface OutboundConnection {
  readonly id: number;
  /** The member that was dialled; empty where a client of somebody else dialled an address. */
  readonly nodeName: string;
  /** The dialled address with its scheme. */
  readonly address: string;
  readonly security: Security;
  readonly identity: PeerIdentity | undefined;
  readonly openedAt: Date;
}

/** What is done with a connection that is judged again. */
export interface ConnectionHold {
  /** The server may no longer be spoken to: no new call goes there, those that run are cut after `graceMs`. */
  withdraw(reason: RefusalReason, graceMs: number): void;
  /** The server's certificate is replaced or ends before long: a new connection is to take over, and no call is to notice. */
  renew(): void;
}

export interface OutboundConnectionsParts {
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** The verdict of now on the server of an open connection; undefined where it is not to be judged. */
  readonly judge: (connection: OutboundConnection, chain: PeerChain) => PeerVerdict | undefined;
  /** How long calls may go on over a connection that must go; asked when it is needed. */
  readonly graceMs: () => number;
  /** Told before a connection must go, so that last words can be said over it. Default: nobody. */
  readonly withdrawn?: (connection: OutboundConnection, reason: RefusalReason) => void;
  /** Told of the certificate of each connection that opens; what it returns is called when that closes. Default: nobody. */
  readonly followPeer?: (identity: PeerIdentity) => () => void;
}

interface Held {
  readonly connection: OutboundConnection;
  /** Undefined without TLS: there is nothing to judge. */
  readonly chain: PeerChain | undefined;
  readonly hold: ConnectionHold;
  stopAwaiting: () => void;
  withdrawn: RefusalReason | undefined;
}

/** No handshake that began before a rotation ends later than this after it. */
const LONGEST_HANDSHAKE_MS = 30_000;

/**
 * The open outbound connections of one connector: counted, and judged again.
 *
 * O1. A connection whose server is still good is not touched by a review; any other is withdrawn, once, with the reason.
 * O2. None outlives the server's certificate: a new connection is asked for a while before, and at the end the old one
 *     is withdrawn.
 * O3. Where a member shows another certificate now, every connection over which it showed an earlier one is renewed;
 *     one whose handshake was under way when that was heard, too.
 */
export class OutboundConnections {
  readonly #open = new Map<number, Held>();
  readonly #parts: OutboundConnectionsParts;
  /** By node name: what it last said to show, for as long as a handshake may be under way that saw an earlier one. */
  readonly #shown = new Map<string, { readonly fingerprint256: string; readonly untilMs: number }>();

  constructor(parts: OutboundConnectionsParts) {
    this.#parts = parts;
  }

  get all(): readonly OutboundConnection[] {
    return [...this.#open.values()].map(({ connection }) => connection);
  }

  /** What the server of an open connection presented; undefined without TLS. */
  chainOf(connectionId: number): PeerChain | undefined {
    return this.#open.get(connectionId)?.chain;
  }

  /** Why the connection that this protects was withdrawn; undefined where it was not, or is closed. */
  withdrawalOf(security: Security): RefusalReason | undefined {
    return [...this.#open.values()].find(({ connection }) => connection.security === security)?.withdrawn;
  }

  /** Keeps the connection in the list until its socket closes. */
  add(socket: Socket, facts: Omit<OutboundConnection, 'id' | 'openedAt'>, hold: ConnectionHold): void {
    // Gone during the probe or the handshake: its `close` was emitted already.
    if (socket.destroyed) return;
    const connection = { ...facts, id: nextConnectionId(), openedAt: new Date() };
    const chain = socket instanceof TLSSocket ? readPeerChain(socket) : undefined;
    const held: Held = { connection, chain, hold, stopAwaiting: () => {}, withdrawn: undefined };
    const labels = { direction: 'outbound', security: facts.security.kind };
    const { metrics, followPeer } = this.#parts;
    const unfollow = facts.identity === undefined ? undefined : followPeer?.(facts.identity);
    this.#open.set(connection.id, held);
    metrics.connections.inc(labels);
    socket.once('close', () => {
      this.#open.delete(connection.id);
      held.stopAwaiting();
      unfollow?.();
      metrics.connections.dec(labels);
      if (held.withdrawn !== undefined) metrics.connectionsClosed.inc({ reason: held.withdrawn });
    });
    this.#ask(held);
    const shown = this.#shown.get(facts.nodeName);
    if (shown === undefined || !showsAnother(held, shown.fingerprint256)) return;
    // Once: a member that never shows what it says is not dialled again and again.
    this.#shown.delete(facts.nodeName);
    if (performance.now() < shown.untilMs) hold.renew();
  }

  /** The member shows the certificate of this fingerprint now (O3). */
  renewOthers(nodeName: string, fingerprint256: string): void {
    this.#shown.set(nodeName, { fingerprint256, untilMs: performance.now() + LONGEST_HANDSHAKE_MS });
    for (const held of this.#open.values())
      if (held.connection.nodeName === nodeName && showsAnother(held, fingerprint256)) held.hold.renew();
  }

  /** Judges all again, without holding up the event loop. */
  async review(): Promise<void> {
    const startedAt = performance.now();
    const connections = [...this.#open.values()];
    await inSlices(connections, held => this.#ask(held));
    this.#parts.logger.debug('connections.reviewed', {
      direction: 'outbound',
      connections: connections.length,
      durationMs: Math.round(performance.now() - startedAt),
    });
  }

  close(): void {
    for (const { stopAwaiting } of this.#open.values()) stopAwaiting();
  }

  #ask(held: Held): void {
    if (held.chain === undefined || held.withdrawn !== undefined || !this.#open.has(held.connection.id)) return;
    const verdict = this.#parts.judge(held.connection, held.chain);
    if (verdict === undefined) return;
    if (verdict.ok) this.#awaitEnd(held, verdict.validUntilMs);
    else this.#withdraw(held, verdict.reason, verdict.detail);
  }

  #awaitEnd(held: Held, validUntilMs: number): void {
    const renewAtMs = renewalTime(held.connection.openedAt.getTime(), validUntilMs, this.#parts.graceMs());
    held.stopAwaiting();
    // A review after the renewal asks for none again.
    const isDue = renewAtMs !== undefined && renewAtMs >= Date.now();
    const stopRenewal = isDue ? atTime(renewAtMs, () => held.hold.renew()) : () => {};
    const stopEnd = atTime(validUntilMs, () => this.#ask(held));
    held.stopAwaiting = () => {
      stopRenewal();
      stopEnd();
    };
  }

  #withdraw(held: Held, reason: RefusalReason, detail: string): void {
    const { connection, hold } = held;
    const { logger, graceMs, withdrawn } = this.#parts;
    held.withdrawn = reason;
    held.stopAwaiting();
    // What has expired has had its grace.
    const callsMayRunMs = reason === 'certificate_expired' ? 0 : graceMs();
    logger.warn('connection.withdrawn', {
      direction: 'outbound',
      connection: connection.id,
      ...(connection.nodeName === '' ? {} : { node: connection.nodeName }),
      address: connection.address,
      reason,
      detail: printable(detail),
      ...certificateFields(connection.identity),
      graceMs: callsMayRunMs,
    });
    withdrawn?.(connection, reason);
    hold.withdraw(reason, callsMayRunMs);
  }
}

function showsAnother({ connection, withdrawn }: Held, fingerprint256: string): boolean {
  const { identity } = connection;
  return identity !== undefined && withdrawn === undefined && identity.fingerprint256 !== fingerprint256;
}
