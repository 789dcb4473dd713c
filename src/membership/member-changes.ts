import { isDeepStrictEqual } from 'node:util';
import type { Member } from './member.ts';
import type { MembershipView } from './membership-source.ts';

/** What a membership source says now that it did not say before: names, each list sorted. */
export interface MemberChanges {
  readonly joined: readonly string[];
  readonly left: readonly string[];
  /** They have other addresses, or prefer another one of them. */
  readonly moved: readonly string[];
  /** They have other labels, another zone or another weight. */
  readonly relabelled: readonly string[];
  /** They are to be given nothing new. */
  readonly draining: readonly string[];
  /** They are draining no more. */
  readonly resumed: readonly string[];
  /** They are refused from now on. */
  readonly removed: readonly string[];
  /** They are not refused any more, whether they are members or not. */
  readonly readmitted: readonly string[];
}

/** The order in which members are listed is no change, nor is that of their labels. */
export function changesOfMembers(previous: MembershipView, next: MembershipView): MemberChanges {
  const before = new Map(previous.members.map(member => [member.name, member]));
  const after = new Set(next.members.map(({ name }) => name));
  const stayed = (isOther: (member: Member, was: Member) => boolean) =>
    namesOf(
      next.members.filter(member => {
        const was = before.get(member.name);
        return was !== undefined && was !== member && isOther(member, was);
      }),
    );
  const without = (names: readonly string[], others: readonly string[]) =>
    names.filter(name => !others.includes(name)).sort();
  return {
    joined: namesOf(next.members.filter(({ name }) => !before.has(name))),
    left: namesOf(previous.members.filter(({ name }) => !after.has(name))),
    moved: stayed(({ addresses }, was) => !isDeepStrictEqual(addresses, was.addresses)),
    relabelled: stayed((member, was) => !isDeepStrictEqual(markOf(member), markOf(was))),
    draining: stayed(({ isDraining }, was) => isDraining === true && was.isDraining !== true),
    resumed: stayed(({ isDraining }, was) => isDraining !== true && was.isDraining === true),
    removed: without(next.removed, previous.removed),
    readmitted: without(previous.removed, next.removed),
  };
}

/** Whether two views say the same. */
export function isSameView(one: MembershipView, other: MembershipView): boolean {
  return (
    isDeepStrictEqual(one.terminating ?? [], other.terminating ?? []) &&
    Object.values(changesOfMembers(one, other)).every(names => names.length === 0)
  );
}

function markOf({ labels, zone, weight, said }: Member) {
  return { labels, zone, weight, said };
}

function namesOf(members: readonly Member[]): readonly string[] {
  return members.map(({ name }) => name).sort();
}
