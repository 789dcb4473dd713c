import type { NodeFacts } from '../control/node-facts.ts';
import type { MembershipView } from '../membership/membership-source.ts';
import type { NodeSettings } from './node-settings.ts';
import { ownStandingIn } from './own-standing.ts';

/** How this node stands among the members: by the membership source, or else as its settings say. */
export function ownMembership(
  view: MembershipView,
  { nodeName, zone, weight }: Pick<NodeSettings, 'nodeName' | 'zone' | 'weight'>,
): ReturnType<NodeFacts['membership']> {
  const standing = ownStandingIn(view, nodeName);
  const own = view.members.find(({ name }) => name === nodeName);
  return {
    membershipState: standing === 'member' ? 'active' : standing,
    zone: own?.zone ?? zone ?? '',
    weight: own?.weight ?? weight,
  };
}
