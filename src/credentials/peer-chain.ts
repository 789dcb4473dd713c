import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

/** What a peer presented in its handshake; enough to judge it again under a later snapshot. */
export interface PeerChain {
  readonly leafDer: Uint8Array;
  /**
   * Intermediates in DER, as presented: any order, possibly useless ones. From the first yes on, those that any trust
   * could have a use for ({@link keepUseful}).
   */
  chain: readonly Uint8Array[];
  /** OpenSSL's verdict, such as `CERT_HAS_EXPIRED`; undefined where it found nothing wrong. */
  readonly authorizationError: string | undefined;
}

/** A peer's certificates are looked at no further than this; OpenSSL's own limit on a chain is 100 KB. */
const MAX_INTERMEDIATES = 20;

/** A peer whose certificates have more bytes is refused; as large as a question of admission may be. */
export const MAX_CHAIN_BYTES = 32_768;

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

/** Of all its certificates together. */
export function bytesOf({ leafDer, chain }: PeerChain): number {
  return chain.reduce((sum, { length }) => sum + length, leafDer.length);
}

/**
 * Drops the intermediates that vouched for nothing. What stays are the CAs of the paths that were found, and other
 * certificates of the same keys: by a cross-certificate, the peer stays known to those who trust the other root.
 */
export function keepUseful(peer: PeerChain, paths: readonly (readonly X509Certificate[])[]): void {
  const vouched = new Map(paths.flatMap(([, ...issuers]) => issuers.map(issuer => [issuer.fingerprint256, issuer])));
  const keys = new Set([...vouched.values()].map(keyOf));
  peer.chain = peer.chain.filter(der => {
    const certificate = tryParse(der);
    // A root is of use to those alone who have it.
    return certificate !== undefined && keys.has(keyOf(certificate)) && !certificate.checkIssued(certificate);
  });
}

function tryParse(der: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

/** Undefined where it is of a kind that OpenSSL does not know; such a key vouches for nothing. */
function keyOf(certificate: X509Certificate): string | undefined {
  try {
    return certificate.publicKey.export({ type: 'spki', format: 'der' }).toString('latin1');
  } catch {
    return undefined;
  }
}

function takePeerChain(socket: TLSSocket): PeerChain | undefined {
  // Not getPeerCertificate(true): Node 20 stops at the first issuer that stands last in the list, so that a chain in
  // another order loses certificates. This call gives all of them, once: it takes them out of OpenSSL's list.
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return undefined;
  const chain: Uint8Array[] = [];
  let bytes = leaf.raw.length;
  for (let next = leaf.issuerCertificate; next !== undefined; next = next.issuerCertificate) {
    // The one that is too much is kept, so that the judge sees it.
    if (chain.length === MAX_INTERMEDIATES || bytes > MAX_CHAIN_BYTES) break;
    bytes += next.raw.length;
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
