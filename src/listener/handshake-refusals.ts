import { type DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { judgePeerCertificate, type PeerChain } from '../credentials/judge-peer.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { Refusal, Refuser } from './refuser.ts';
import { HUNG_UP } from './tls-acceptor.ts';

type AlpnCallback = (offer: { readonly servername: string; readonly protocols: string[] }) => string | undefined;

/** More certificates than this say nothing more for a log line. */
const MAX_CHAIN = 20;

/** What Node's error codes of a handshake mean; every other one is `handshake_failed`. */
const REASON_OF_ERROR: Readonly<Record<string, Refusal>> = {
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: { reason: 'no_certificate', detail: 'no certificate was presented' },
  ECONNRESET: { reason: 'handshake_failed', detail: HUNG_UP },
  ERR_TLS_HANDSHAKE_TIMEOUT: { reason: 'handshake_timeout', detail: 'no handshake before the deadline' },
};

/**
 * Chooses `h2` as the application protocol, and nothing else; on the way it sees to it that a connection which Node
 * then turns down for its certificate is logged and counted with the reason, and that `secured` hears of the others,
 * before their first call. A server of grpc-js hands out no other place to learn of either.
 */
export function watchingAlpn(
  refuser: Refuser,
  trust: ObservableValue<TrustSnapshot>,
  secured: (socket: TLSSocket) => void,
): AlpnCallback {
  return function (this: unknown, { protocols }) {
    // `this` is the socket, so that its `setKeyCert` can be called here.
    if (this instanceof TLSSocket) {
      reportRefusal(this, refuser, trust);
      // Behind Node's own listener, which turns a bad chain down.
      this.once('secure', () => {
        if (this.authorized && !this.destroyed) secured(this);
      });
    }
    return protocols.includes('h2') ? 'h2' : undefined;
  };
}

function reportRefusal(socket: TLSSocket, refuser: Refuser, trust: ObservableValue<TrustSnapshot>): void {
  let presented: DetailedPeerCertificate | undefined;
  let failure: Error | undefined;
  // Asked for now, so that the socket remembers it when it is closed.
  void socket.remoteAddress;
  // Ahead of Node's own listener, which closes the connection of a bad certificate. This reading leaves the chain where
  // it is, unlike the one of the judge.
  socket.prependOnceListener('secure', () => {
    presented = socket.getPeerCertificate(true);
  });
  socket.once('error', error => {
    failure = error;
  });
  socket.once('close', () => {
    if (!socket.authorized) refuser.record(socket, refusalOf(socket, presented, failure, trust.value));
  });
}

function refusalOf(
  socket: TLSSocket,
  presented: DetailedPeerCertificate | undefined,
  failure: Error | undefined,
  snapshot: TrustSnapshot,
): Refusal {
  if (presented?.raw !== undefined) {
    const verdict = judgePeerCertificate(chainOf(presented, socket), snapshot, 'client', new Date());
    if (!verdict.ok) return verdict;
  }
  const code = failure !== undefined && 'code' in failure ? String(failure.code) : HUNG_UP;
  return REASON_OF_ERROR[code] ?? { reason: 'handshake_failed', detail: code };
}

function chainOf(leaf: DetailedPeerCertificate, socket: TLSSocket): PeerChain {
  const chain: Uint8Array[] = [];
  let last = leaf;
  // A self-signed certificate is its own issuer.
  while (chain.length < MAX_CHAIN && last.issuerCertificate !== undefined && last.issuerCertificate !== last) {
    last = last.issuerCertificate;
    chain.push(last.raw);
  }
  const error: unknown = socket.authorizationError;
  return { leafDer: leaf.raw, chain, authorizationError: error === null ? undefined : String(error) };
}
