import type { NodeFacts } from '../control/node-facts.ts';
import type { MembershipView } from '../membership/membership-source.ts';
import type { NodeSettings } from './node-settings.ts';
import { ownStandingIn } from './own-standing.ts';

/** How this node stands among the members: by the membership source, or else as its settings say; as the others see it. */
export function ownMembership(
  view: MembershipView,
  { nodeName, labels, zone, weight }: Pick<NodeSettings, 'nodeName' | 'labels' | 'zone' | 'weight'>,
): ReturnType<NodeFacts['membership']> {
  const own = view.members.find(({ name }) => name === nodeName);
  return {
    membershipState: ownStandingIn(view, nodeName),
    labels: { ...labels, ...own?.labels },
    zone: own?.zone ?? zone ?? '',
    weight: own?.weight ?? weight,
  };
}
