import type { TrustAnchor } from '../credentials/trust-anchors.ts';
import type { Address } from '../identity/address.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { profilesOf } from './names-to-prove.ts';
import type { OutboundPolicy, TrustProfile } from './trust-profile.ts';

/**
 * Whether a certificate that was admitted rests only on trust anchors that count for other destinations than those of
 * the node that its holder claims to be: then the CA of one family vouches for a node of another. An anchor that no
 * profile names, such as of a CA for clients alone, is of all.
 *
 * @param anchors whom the listener trusts.
 */
export function isVouchedElsewhere(
  { vouchedBy = [] }: PeerIdentity,
  addresses: readonly Address[] | undefined,
  { profiles }: Pick<OutboundPolicy, 'profiles'>,
  anchors: readonly TrustAnchor[],
): boolean {
  const vouching = new Set(vouchedBy.map(({ fingerprint256 }) => fingerprint256));
  const roots = anchors.map(fingerprintOf).filter(fingerprint => vouching.has(fingerprint));
  const here = anchorsOf([...profilesOf(addresses ?? [], profiles), ...profilesOf([], profiles)]);
  const all = anchorsOf(profiles);
  return roots.length > 0 && roots.every(root => all.has(root) && !here.has(root));
}

function anchorsOf(profiles: readonly TrustProfile[]): ReadonlySet<string> {
  return new Set(profiles.flatMap(({ trust }) => trust.value.anchors.map(fingerprintOf)));
}

function fingerprintOf({ identity }: TrustAnchor): string {
  return identity.fingerprint256;
}
