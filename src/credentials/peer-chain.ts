import type { TLSSocket } from 'node:tls';

/** What a peer presented in its handshake; enough to judge it again under a later snapshot. */
export interface PeerChain {
  readonly leafDer: Uint8Array;
  /** Intermediates in DER, as presented: any order, possibly useless ones. */
  readonly chain: readonly Uint8Array[];
  /** OpenSSL's verdict, such as `CERT_HAS_EXPIRED`; undefined where it found nothing wrong. */
  readonly authorizationError: string | undefined;
}

/** A peer's bytes are looked at no further than this; OpenSSL's own limit on a chain is 100 KB. */
const MAX_INTERMEDIATES = 20;

const chains = new WeakMap<TLSSocket, PeerChain>();

/**
 * What the peer of a finished handshake presented; undefined when it showed no certificate. The socket must have been
 * made with `rejectUnauthorized: false`, a server's with `requestCert: true`, and a client's with its own
 * `checkServerIdentity` that finds nothing wrong, since names are judged elsewhere. Asking again gives the same answer.
 *
 * Afterwards `getPeerCertificate()` of a client's socket is empty, and on a server's it has lost the issuers.
 */
export function readPeerChain(socket: TLSSocket): PeerChain | undefined {
  const known = chains.get(socket);
  if (known !== undefined) return known;
  const chain = takePeerChain(socket);
  if (chain !== undefined) chains.set(socket, chain);
  return chain;
}

function takePeerChain(socket: TLSSocket): PeerChain | undefined {
  // Not getPeerCertificate(true): Node 20 stops at the first issuer that stands last in the list, so that a chain in
  // another order loses certificates. This call gives all of them, once: it takes them out of OpenSSL's list.
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return undefined;
  const chain: Uint8Array[] = [];
  for (let next = leaf.issuerCertificate; next !== undefined; next = next.issuerCertificate) {
    if (chain.length === MAX_INTERMEDIATES) break;
    chain.push(next.raw);
  }
  return { leafDer: leaf.raw, chain, authorizationError: authorizationErrorOf(socket) };
}

function authorizationErrorOf(socket: TLSSocket): string | undefined {
  // Typed as an Error, but Node gives the code as a text, and null where there is none.
  const error: unknown = socket.authorizationError;
  if (error === undefined || error === null) return socket.authorized ? undefined : 'UNVERIFIED';
  return error instanceof Error ? error.message : String(error);
}
