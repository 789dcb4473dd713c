import type { Member } from './member.ts';
import type { MembershipView } from './membership-source.ts';

export const NOBODY: MembershipView = { members: [], removed: [] };

/**
 * What several sources say together: a member is who any of them lists, as the first that does says it; it drains where any
 * of them says so; and who was removed in any of them is none.
 */
export function joinedViews(views: readonly MembershipView[]): MembershipView {
  if (views.length === 1 && views[0] !== undefined) return views[0];
  const removed = new Set(views.flatMap(view => view.removed));
  const draining = new Set(
    views.flatMap(view => view.members.flatMap(({ name, isDraining }) => (isDraining ? [name] : []))),
  );
  const members = new Map<string, Member>();
  for (const member of views.flatMap(view => view.members)) {
    if (members.has(member.name) || removed.has(member.name)) continue;
    members.set(member.name, draining.has(member.name) ? { ...member, isDraining: true } : member);
  }
  const terminating = [...new Set(views.flatMap(view => view.terminating ?? []))].sort();
  return {
    members: [...members.values()],
    removed: [...removed].sort(),
    ...(terminating.length === 0 ? {} : { terminating }),
  };
}
