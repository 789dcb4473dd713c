import { profileFor } from '../connector/trust-profile.ts';
import { withScheme } from '../identity/address.ts';
import type { Member } from '../membership/member.ts';
import type { NodeSettings } from '../node/node-settings.ts';

/** Profiles with which none of the members is dialled, one line each. A warning: members come and go. */
export function checkProfiles(
  { tls, nodeName }: Pick<NodeSettings, 'tls' | 'nodeName'>,
  members: readonly Member[],
): string[] {
  const profiles = tls?.profiles ?? [];
  const addresses = members.filter(({ name }) => name !== nodeName).flatMap(member => member.addresses);
  const used = new Set(
    addresses.map(address => (address.kind === 'tcp' ? profileFor(profiles, withScheme(address, 'https')) : undefined)),
  );
  return profiles.flatMap((profile, index) => {
    if (used.has(profile)) return [];
    const texts = profile.destinations.map(({ text }) => text).join(', ');
    return [
      `networking.tls.profile[${index}].destinations: no member is at ${texts} as it is listed, so profile ${profile.name} is not used`,
    ];
  });
}
