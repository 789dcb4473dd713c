import { type Address, withScheme } from '../identity/address.ts';
import type { SubjectNamePattern } from '../identity/subject-name-pattern.ts';
import { type OutboundPolicy, profileFor, type TrustProfile } from './trust-profile.ts';

/**
 * Of which names a node must prove one when it says who it is: that of the profile with which it is dialled, or that of
 * all nodes, since one of another family may show a certificate that was issued for it in ours. Where the profiles of all
 * its addresses ask for none, and where nothing is asked of any node, the answer is undefined: nothing is checked.
 *
 * @param addresses as they are dialled; undefined for one that is no member. What a node itself says of its hosts must
 * never be among them.
 */
export function namesToProve(
  nodeName: string,
  addresses: readonly Address[] | undefined,
  { profiles }: Pick<OutboundPolicy, 'profiles'>,
): readonly SubjectNamePattern[] | undefined {
  const templates = profilesOf(addresses ?? [], profiles).flatMap(({ nodeIdentity }) => nodeIdentity ?? []);
  if (templates.length === 0) return undefined;
  const ofAll = generalOf(profiles).flatMap(({ nodeIdentity }) => nodeIdentity ?? []);
  return [...new Set([...templates, ...ofAll])].map(template => template(nodeName));
}

/** The profiles with which a node is dialled. One that lists http alone may speak TLS before we know of it. */
export function profilesOf(addresses: readonly Address[], profiles: readonly TrustProfile[]): readonly TrustProfile[] {
  const ofAddresses = addresses.flatMap(address =>
    address.kind === 'tcp' ? (profileFor(profiles, withScheme(address, 'https')) ?? []) : [],
  );
  return ofAddresses.length > 0 ? ofAddresses : generalOf(profiles);
}

/** That for all destinations. */
function generalOf(profiles: readonly TrustProfile[]): readonly TrustProfile[] {
  return profiles.filter(({ destinations }) => destinations.length === 0);
}
