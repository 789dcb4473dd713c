import { type Address, withScheme } from '../identity/address.ts';
import type { SubjectNamePattern } from '../identity/subject-name-pattern.ts';
import { type OutboundPolicy, profileFor, type TrustProfile } from './trust-profile.ts';

/**
 * Of which names a node must prove one when it says who it is: that of the profile with which it would be dialled, for
 * each of its addresses; of one that is no member, or has no TCP address, that of the profile for all destinations.
 * Undefined: nothing is checked. What the node itself says of its hosts never counts.
 */
export function namesToProve(
  nodeName: string,
  addresses: readonly Address[] | undefined,
  { profiles }: Pick<OutboundPolicy, 'profiles'>,
): readonly SubjectNamePattern[] | undefined {
  const names = profilesOf(addresses ?? [], profiles).flatMap(({ nodeIdentity }) => nodeIdentity?.(nodeName) ?? []);
  const byText = new Map(names.map(name => [name.text, name]));
  return byText.size === 0 ? undefined : [...byText.values()];
}

/** A member that lists http alone may speak TLS before we know of it: each address is taken for https. */
function profilesOf(addresses: readonly Address[], profiles: readonly TrustProfile[]): readonly TrustProfile[] {
  const ofAddresses = addresses.flatMap(address =>
    address.kind === 'tcp' ? (profileFor(profiles, withScheme(address, 'https')) ?? []) : [],
  );
  return ofAddresses.length > 0 ? ofAddresses : profiles.filter(({ destinations }) => destinations.length === 0);
}
