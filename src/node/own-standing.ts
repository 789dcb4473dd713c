import type { MembershipView } from '../membership/membership-source.ts';

/** What the membership sources say of this node itself. `unlisted`: nothing, which is fine where they do not list names. */
export type OwnStanding = 'active' | 'unlisted' | 'draining' | 'removed' | 'terminating';

export function ownStandingIn({ members, removed, terminating = [] }: MembershipView, nodeName: string): OwnStanding {
  if (terminating.includes(nodeName)) return 'terminating';
  if (removed.includes(nodeName)) return 'removed';
  const own = members.find(({ name }) => name === nodeName);
  if (own === undefined) return 'unlisted';
  return own.isDraining ? 'draining' : 'active';
}
