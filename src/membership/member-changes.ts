import { isDeepStrictEqual } from 'node:util';
import type { Member } from './member.ts';

/** What a membership source says now that it did not say before: names, each list sorted. */
export interface MemberChanges {
  readonly joined: readonly string[];
  readonly left: readonly string[];
  /** They have other addresses, or prefer another one of them. */
  readonly moved: readonly string[];
  readonly relabelled: readonly string[];
}

/** The order in which members are listed is no change, nor is that of their labels. */
export function changesOfMembers(previous: readonly Member[], next: readonly Member[]): MemberChanges {
  const before = new Map(previous.map(member => [member.name, member]));
  const after = new Set(next.map(({ name }) => name));
  const stayed = (isOther: (member: Member, was: Member) => boolean) =>
    namesOf(
      next.filter(member => {
        const was = before.get(member.name);
        return was !== undefined && isOther(member, was);
      }),
    );
  return {
    joined: namesOf(next.filter(({ name }) => !before.has(name))),
    left: namesOf(previous.filter(({ name }) => !after.has(name))),
    moved: stayed(({ addresses }, was) => !isDeepStrictEqual(addresses, was.addresses)),
    relabelled: stayed(({ labels }, was) => !isDeepStrictEqual(labels, was.labels)),
  };
}

function namesOf(members: readonly Member[]): readonly string[] {
  return members.map(({ name }) => name).sort();
}
