import type { Socket } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import type { MinTlsVersion, TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { type Address, formatAddress, parseAddress, withScheme } from '../identity/address.ts';
import type { DeniedCertificate } from '../identity/denied-certificate.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { PlaintextReason, Security } from '../rpc/security.ts';
import { expectStillOpen, probePlaintext } from './plaintext-probe.ts';
import type { ServerExpectation } from './server-expectation.ts';
import { dialTls } from './tls-dial.ts';

/** The seam of grpc-js that decides what a connection is made of; this file is the only one that touches it. */
type CreateSecureConnector = grpc.ChannelCredentials['_createSecureConnector'];
type SecureConnector = grpc.experimental.SecureConnector;

/** What is known of a connection that was made. */
export interface DialledFacts {
  readonly security: Security;
  /** Of the verified server; undefined without TLS. */
  readonly identity: PeerIdentity | undefined;
  /** The target of the channel. */
  readonly address: Address;
}

/** What a dial tells those who keep count of connections and of failures. */
export interface DialListener {
  /** There is a TCP connection, of which nothing is known yet. */
  connecting?(socket: Socket): void;
  connected?(socket: Socket, facts: DialledFacts): void;
  failed?(error: unknown): void;
}

/** How a channel is secured. */
export type ChannelSecurity =
  | {
      readonly kind: 'mutual_tls';
      /** Read at each connection, so a rotation needs no new channel. */
      readonly trust: ObservableValue<TrustSnapshot>;
      readonly minVersion: MinTlsVersion;
      readonly expectation: ServerExpectation;
      /** Servers that are refused although all else is good. Default none. */
      readonly denied?: readonly DeniedCertificate[];
    }
  | { readonly kind: 'none'; readonly reason: PlaintextReason };

export interface FabricChannelCredentialsOptions {
  /** Read at each connection. */
  readonly security: ChannelSecurity;
  /** Deadline of a handshake or probe. */
  readonly timeoutMs: number;
  readonly listener?: DialListener;
}

/**
 * grpc-js channel credentials that show and trust the newest snapshot at each connection, check who answers, and fail
 * a dial that the server refuses with the reason instead of letting calls run into it.
 */
export class FabricChannelCredentials extends grpc.ChannelCredentials {
  readonly #options: FabricChannelCredentialsOptions;

  constructor(options: FabricChannelCredentialsOptions) {
    super();
    this.#options = options;
  }

  override _isSecure(): boolean {
    return this.#options.security.kind === 'mutual_tls';
  }

  override _equals(other: grpc.ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(...[target, , callCredentials]: Parameters<CreateSecureConnector>): SecureConnector {
    const address = addressOfTarget(target);
    return {
      connect: socket => this.#connect(socket, address),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials ?? grpc.CallCredentials.createEmpty(),
      destroy: () => {},
    };
  }

  async #connect(socket: Socket, address: Address): Promise<grpc.experimental.SecureConnectResult> {
    const { listener } = this.#options;
    // Attached for good: an error between two owners of the socket must not bring the process down.
    socket.on('error', () => {});
    socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
    listener?.connecting?.(socket);
    try {
      const { security, identity, socket: secured } = await this.#secure(socket, address);
      listener?.connected?.(secured, { security, identity, address });
      return { socket: secured, secure: security.kind !== 'none' };
    } catch (error) {
      socket.destroy();
      listener?.failed?.(error);
      throw error;
    }
  }

  async #secure(socket: Socket, address: Address): Promise<Omit<DialledFacts, 'address'> & { socket: Socket }> {
    const { security, timeoutMs } = this.#options;
    if (security.kind === 'none') {
      // The socket says which of the resolved addresses grpc-js chose.
      const { remoteAddress: host, remotePort: port } = socket;
      if (host !== undefined && port !== undefined) await probePlaintext({ host, port }, timeoutMs);
      await expectStillOpen(socket);
      return { security, identity: undefined, socket };
    }
    if (address.kind === 'unix') throw new TypeError('mutual TLS over a unix socket is not supported');
    const dial = await dialTls(socket, {
      trust: security.trust.value,
      minVersion: security.minVersion,
      host: address.host,
      expectation: security.expectation,
      denied: security.denied ?? [],
      timeoutMs,
    });
    const facts = { protocol: dial.socket.getProtocol() ?? 'unknown', cipher: dial.socket.getCipher().name };
    return { security: { kind: 'mutual_tls', ...facts }, identity: dial.identity, socket: dial.socket };
  }
}

/** For connections that take no new calls, over which nobody can be asked any more; see {@link Liveness} for the others. */
const TCP_KEEPALIVE_MS = 20_000;

/** grpc-js hands over its parsed target URI; `path` is `host:port`, or the path of a unix socket. */
function addressOfTarget(target: { scheme?: string; path: string }): Address {
  return target.scheme === 'unix' ? { kind: 'unix', path: target.path } : parseAddress(target.path);
}

/** What grpc-js is asked to dial. Never a proxy, never a DNS service config: see {@link FABRIC_CHANNEL_OPTIONS}. */
export function grpcTargetOf(address: Address): string {
  if (address.kind === 'unix') return formatAddress(address);
  const scheme = { name: 'dns', ipv4: 'ipv4', ipv6: 'ipv6' }[address.hostKind];
  return `${scheme}:${formatAddress(withScheme(address, 'https')).slice('https://'.length)}`;
}

/** Channel options of every channel of the fabric: it goes where it was told, and nowhere else. */
export const FABRIC_CHANNEL_OPTIONS: grpc.ChannelOptions = {
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
  // Calls that no server processed come back to the channel above, which may know another address.
  'grpc.enable_retries': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
};
