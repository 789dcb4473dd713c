import * as net from 'node:net';
import type { TLSSocket } from 'node:tls';
import type * as grpc from '@grpc/grpc-js';
import { type PeerChain, readPeerChain } from '../credentials/judge-peer.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import type { EndReason, RefusalReason } from '../errors/refusal-reason.ts';
import { messageOf } from '../errors/selvedge-error.ts';
import type { Address } from '../identity/address.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { Caller } from '../rpc/caller.ts';
import { nextConnectionId } from '../rpc/connection-id.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import type { Security } from '../rpc/security.ts';
import { certificateFields } from '../telemetry/certificate-fields.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { bind } from './bind.ts';
import { ConnectionStanding } from './connection-standing.ts';
import { InboundConnection } from './inbound-connection.ts';
import type { Admit, CallRules, ListenerLimits, ListenerPolicy } from './listener-policy.ts';
import { RecentRefusals, type RefusedCertificate } from './recent-refusals.ts';
import { Refuser, remoteOf } from './refuser.ts';
import { sniff } from './sniff.ts';
import { type StandingListener, StandingReview } from './standing-review.ts';
import { TlsAcceptor } from './tls-acceptor.ts';

export interface FabricListenerParts {
  /** The one grpc-js server that every connection is injected into; it never binds a port itself. */
  readonly server: grpc.Server;
  readonly policy: ObservableValue<ListenerPolicy>;
  /** Undefined while the node has no credentials; then the mode must be plain. */
  readonly trust: ObservableValue<TrustSnapshot | undefined>;
  readonly limits: ListenerLimits;
  /** Another function when the lists behind it change: then open connections are judged again. */
  readonly admit: ObservableValue<Admit>;
  readonly rules: CallRules;
  /** Told of open connections that may no longer be here. Default: nobody. */
  readonly standings?: StandingListener;
  /** Told of the certificate of each connection that opens; what it returns is called when that closes. Default: nobody. */
  readonly followPeer?: (identity: PeerIdentity) => () => void;
  /** Told of each connection that is refused, or withdrawn. Default: nobody. */
  readonly refused?: (peer: RefusedPeer) => void;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const NO_ROOM_WITHOUT_CERTIFICATE = {
  reason: 'too_many_connections',
  detail: 'this node has no room for another connection without a certificate',
} as const;

/**
 * Accepts connections on one port, learns what each speaks, admits or refuses it, and hands it to gRPC.
 *
 * L1. The accept loop never waits for a peer: sniffing and handshakes run beside it, each under a deadline.
 * L2. No byte of a refused peer reaches an HTTP/2 parser, and no connection reaches gRPC without an admission.
 * L3. Every refusal is told to the peer where its protocol has a word for it, logged as `connection.refused`, and
 *     counted; every connection that was admitted is logged and counted when it ends.
 * L4. Policy, trust and lists are read when they are needed, so a change holds for every connection accepted after it;
 *     those that are open are judged again (see {@link StandingReview}).
 */
export class FabricListener {
  readonly #parts: FabricListenerParts;
  readonly #listener: net.Server;
  #acceptor: { readonly tls: TlsAcceptor; readonly snapshot: TrustSnapshot; readonly minVersion: string } | undefined;
  readonly #refuser: Refuser;
  readonly #refusals = new RecentRefusals();
  readonly #review: StandingReview;
  /** Accepted but not yet admitted, oldest first. */
  readonly #unfinished = new Set<net.Socket>();
  readonly #connections = new Map<number, InboundConnection>();
  /** How many of them are TLS and showed no certificate. */
  #withoutCertificate = 0;
  #closing = false;

  constructor(parts: FabricListenerParts) {
    this.#parts = parts;
    this.#refuser = new Refuser(parts.logger, parts.metrics, parts.refused);
    this.#review = new StandingReview({
      standing: parts,
      authorize: parts.rules.authorize,
      graceMs: () => parts.policy.value.withdrawalGraceMs,
      listener: parts.standings ?? {},
      refused: parts.refused,
      logger: parts.logger,
    });
    this.#listener = net.createServer({ noDelay: true, keepAlive: true }, socket => this.#accept(socket));
  }

  /** Starts to listen. Resolves with the real address. @throws address_in_use, listen_failed */
  async listen(address: Address): Promise<Address> {
    const bound = await bind(this.#listener, address);
    this.#listener.on('error', error => this.#parts.logger.error('listener.error', { error: messageOf(error) }));
    return bound;
  }

  /** Admitted connections, in the order they came. */
  get connections(): readonly InboundConnection[] {
    return [...this.#connections.values()];
  }

  /** An admitted connection that is not closed yet. */
  connection(id: number): InboundConnection | undefined {
    return this.#connections.get(id);
  }

  /** Peers whose certificates were refused of late, the newest first. */
  get refusals(): readonly RefusedCertificate[] {
    return this.#refusals.all;
  }

  /** Drains every admitted connection that `select` picks. Resolves when they are closed. */
  async drainConnections(
    reason: EndReason,
    graceMs: number,
    select: (connection: InboundConnection) => boolean = () => true,
  ): Promise<void> {
    await Promise.all(this.connections.filter(select).map(connection => connection.drain(reason, graceMs)));
  }

  /** Stops to accept, drains what is open, and resolves when all is closed. */
  async close(reason: EndReason = 'node_closed', graceMs = 0): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    const stopped = new Promise<void>(resolve => {
      if (this.#listener.listening) this.#listener.close(() => resolve());
      else resolve();
    });
    for (const socket of this.#unfinished) socket.destroy();
    await this.drainConnections(reason, graceMs);
    this.#review.close();
    await stopped;
  }

  #accept(socket: net.Socket): void {
    socket.on('error', () => {});
    this.#unfinished.add(socket);
    socket.once('close', () => this.#unfinished.delete(socket));
    if (this.#unfinished.size > this.#parts.limits.maxUnfinishedHandshakes) this.#dropOldest();
    this.#introduce(socket).catch(error => {
      this.#parts.logger.error('listener.error', { error: messageOf(error) });
      socket.destroy();
    });
  }

  #dropOldest(): void {
    for (const oldest of this.#unfinished) {
      this.#unfinished.delete(oldest);
      this.#refuser.record(oldest, { reason: 'too_many_connections', detail: 'too many unfinished handshakes' });
      oldest.destroy();
      return;
    }
  }

  /** From the first byte to an admission or a refusal. */
  async #introduce(socket: net.Socket): Promise<void> {
    const startedAt = performance.now();
    const sniffed = await sniff(socket, this.#parts.policy.value.sniffTimeoutMs);
    if (!this.#unfinished.has(socket)) return;
    // A peer that went away without a word: a port check, not a refusal.
    if (sniffed === 'closed') return void socket.destroy();
    const policy = this.#parts.policy.value;
    const refuse = (reason: RefusalReason, detail: string) =>
      this.#refuser.refusePlain(socket, sniffed, { reason, detail });
    if (this.#connections.size >= this.#parts.limits.maxConnections) {
      return refuse('too_many_connections', 'this node has no room for another connection');
    }
    switch (sniffed) {
      case 'silent':
        return refuse('sniff_timeout', 'no complete greeting before the deadline');
      case 'tls':
        // A unix socket is plaintext in every mode: the kernel is the wall.
        if (policy.mode === 'plain' || this.#parts.trust.value === undefined || socket.remoteAddress === undefined)
          return refuse('tls_on_plain_listener', 'this node speaks plaintext only');
        return this.#handshake(socket, this.#parts.trust.value, policy, startedAt);
      case 'http1':
      case 'unknown':
        if (policy.mode === 'strict') return refuse('plaintext_refused', 'this node speaks TLS only');
        return refuse('handshake_failed', 'the peer speaks neither TLS nor HTTP/2');
      case 'http2':
        if (policy.mode === 'strict') return refuse('plaintext_refused', 'this node speaks TLS only');
        return this.#decide(socket, socket, undefined, plaintextSecurity(socket), startedAt);
    }
  }

  async #handshake(socket: net.Socket, trust: TrustSnapshot, policy: ListenerPolicy, startedAt: number): Promise<void> {
    const result = await this.#acceptorFor(trust, policy).handshake(socket, policy.handshakeTimeoutMs);
    if (!result.ok) {
      // A peer that went away during its handshake distrusts us, or is broken: both are worth a line.
      if (!this.#closing) this.#refuser.record(socket, result);
      socket.destroy();
      return;
    }
    if (!this.#unfinished.has(socket)) return void result.socket.destroy();
    const secured = result.socket;
    secured.on('error', () => {});
    const chain = readPeerChain(secured);
    const security = tlsSecurity(chain === undefined ? 'tls' : 'mutual_tls', secured);
    this.#decide(socket, secured, chain, security, startedAt);
  }

  #acceptorFor(snapshot: TrustSnapshot, { minVersion }: ListenerPolicy): TlsAcceptor {
    const known = this.#acceptor;
    if (known?.snapshot === snapshot && known.minVersion === minVersion) return known.tls;
    const context = snapshot.contextOptions(minVersion);
    const acceptor = known?.tls ?? new TlsAcceptor(context);
    if (known !== undefined) acceptor.setContext(context);
    this.#acceptor = { tls: acceptor, snapshot, minVersion };
    return acceptor;
  }

  /** What counts is what holds now: the handshake took its time. */
  #decide(
    raw: net.Socket,
    socket: net.Socket,
    chain: PeerChain | undefined,
    security: Security,
    startedAt: number,
  ): void {
    const standing = new ConnectionStanding(chain, security, this.#parts);
    const now = standing.now;
    if (!now.admitted) {
      const { reason, identity } = now;
      if (chain !== undefined)
        this.#refusals.note({ chain, reason, identity, remoteAddress: remoteOf(raw), at: new Date() });
      if (socket === raw) this.#refuser.refusePlain(raw, 'http2', now);
      else this.#refuser.refuseSecured(raw, socket, now);
      return;
    }
    if (security.kind === 'tls' && this.#withoutCertificate >= this.#parts.limits.maxConnectionsWithoutCertificate)
      return this.#refuser.refuseSecured(raw, socket, NO_ROOM_WITHOUT_CERTIFICATE);
    if (socket !== raw) this.#parts.metrics.handshakeDuration.observe((performance.now() - startedAt) / 1_000);
    if (this.#closing) return void socket.destroy();
    this.#unfinished.delete(raw);
    const { identity, roles } = now;
    const remoteAddress = remoteOf(raw);
    const caller = { connectionId: nextConnectionId(), remoteAddress, security, identity, roles, bearer: undefined };
    this.#open(socket, caller, standing);
  }

  #open(socket: net.Socket, caller: Caller, standing: ConnectionStanding): void {
    const { server, rules, metrics, logger, followPeer } = this.#parts;
    const labels = { direction: 'inbound', security: caller.security.kind };
    // The admin socket is no connection of the fabric.
    const counted = !caller.roles.has('local');
    if (counted) metrics.connections.inc(labels);
    const isStranger = caller.security.kind === 'tls';
    if (isStranger) this.#withoutCertificate += 1;
    const unfollow = caller.identity === undefined ? undefined : followPeer?.(caller.identity);
    const connection = new InboundConnection({
      server,
      socket,
      caller,
      standing,
      rules,
      metrics,
      onCallFailed: (method, error) => logger.error('listener.error', { method, error: messageOf(error) }),
      onClosed: closed => {
        this.#connections.delete(closed.id);
        if (isStranger) this.#withoutCertificate -= 1;
        unfollow?.();
        const reason = closed.closeReason ?? 'peer_closed';
        if (counted) {
          metrics.connections.dec(labels);
          metrics.connectionsClosed.inc({ reason });
        }
        logger.debug('connection.closed', { connection: closed.id, remote: caller.remoteAddress, reason });
      },
    });
    this.#connections.set(connection.id, connection);
    this.#review.follow(connection);
    logger.debug('connection.opened', {
      connection: connection.id,
      remote: caller.remoteAddress,
      security: caller.security.kind,
      ...certificateFields(caller.identity),
      roles: [...caller.roles],
    });
  }
}

function plaintextSecurity(socket: net.Socket): Security {
  return { kind: 'none', reason: socket.remoteAddress === undefined ? 'unix_socket' : 'plaintext_peer' };
}

function tlsSecurity(kind: 'mutual_tls' | 'tls', socket: TLSSocket): Security {
  return { kind, protocol: socket.getProtocol() ?? 'unknown', cipher: socket.getCipher().name };
}
