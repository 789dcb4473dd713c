import type { RefusalReason } from '../errors/refusal-reason.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { Caller } from '../rpc/caller.ts';
import { printable } from '../telemetry/logger.ts';

const MAX_LENGTH = 512;

/** With these a certificate was shown that no CA of ours vouches for: what it says of itself is nobody's name. */
const UNPROVEN: readonly RefusalReason[] = ['unknown_ca', 'malformed_certificate'];

/**
 * Who a certificate says its holder is, in one printable line: its first URI name, else its first DNS name, else its
 * subject, the order of gRPC (gRFC A41). A `spiffe://` name of a certificate that is no valid SPIFFE identity is none.
 * Empty without a certificate.
 */
export function principalOf(identity: PeerIdentity | undefined): string {
  if (identity === undefined) return '';
  const { spiffeId, uris, dnsNames, subject } = identity;
  const uri = spiffeId ?? uris.find(name => !name.toLowerCase().startsWith('spiffe:'));
  return printable(uri ?? dnsNames[0] ?? subject, MAX_LENGTH);
}

/** Who makes a call: of a bearer token its name, else who the certificate of the connection says. */
export function callerPrincipal({ bearer, identity }: Pick<Caller, 'bearer' | 'identity'>): string {
  return bearer === undefined ? principalOf(identity) : printable(`${bearer.kind}:${bearer.name}`, MAX_LENGTH);
}

/** The principal of a peer that was refused; empty where its certificate proves nothing. */
export function refusedPrincipal(reason: RefusalReason, identity: PeerIdentity | undefined): string {
  return UNPROVEN.includes(reason) ? '' : principalOf(identity);
}
