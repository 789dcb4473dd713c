import type { EtcdEntry } from './etcd-entry.ts';
import type { Registration, RosterRecord, RosterState } from './etcd-records.ts';
import type { Member } from './member.ts';
import type { MembershipView } from './membership-source.ts';

/** Those of one name. */
type Records = { [Kind in EtcdEntry['kind']]?: Extract<EtcdEntry, { kind: Kind }> };

/** Whether an operator took the node out by this record. */
export function isTombstone(entry: EtcdEntry | undefined): boolean {
  return entry?.kind === 'members' && isOut(entry.roster.state);
}

export function isOut(state: RosterState): boolean {
  return state === 'removed' || state === 'terminating';
}

/** Who exists by these records, sorted by name. What operators say goes before what a node says of itself. */
export function viewOf(entries: Iterable<EtcdEntry>): MembershipView {
  const byName = new Map<string, Records>();
  for (const entry of entries) byName.set(entry.name, { ...byName.get(entry.name), [entry.kind]: entry });
  const members: Member[] = [];
  const removed: string[] = [];
  const terminating: string[] = [];
  for (const [name, records] of [...byName].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const roster = records.members?.roster;
    if (roster !== undefined && isOut(roster.state)) {
      removed.push(name);
      if (roster.state === 'terminating') terminating.push(name);
      continue;
    }
    const member = knownMember(name, records);
    if (member !== undefined) members.push(member);
  }
  return { members, removed, ...(terminating.length === 0 ? {} : { terminating }) };
}

/** What was made of an entry last, and of the other one beside it. */
const made = new WeakMap<EtcdEntry, { readonly beside: EtcdEntry | undefined; readonly member: Member | undefined }>();

/** The same object for the same records: a view of thousands is made at each event, and compared with the one before. */
function knownMember(name: string, { members, nodes }: Records): Member | undefined {
  const [first, beside] = members === undefined ? [nodes, undefined] : [members, nodes];
  if (first === undefined) return undefined;
  const known = made.get(first);
  if (known !== undefined && known.beside === beside) return known.member;
  const member = memberOf(name, members?.roster, nodes?.registration);
  made.set(first, { beside, member });
  return member;
}

function memberOf(
  name: string,
  roster: RosterRecord | undefined,
  registration: Registration | undefined,
): Member | undefined {
  const addresses = [roster?.addresses, registration?.addresses].find(list => list !== undefined && list.length > 0);
  if (addresses === undefined) return undefined;
  const zone = roster?.zone ?? registration?.zone;
  const weight = roster?.weight ?? registration?.weight;
  return {
    name,
    addresses,
    labels: { ...registration?.labels, ...roster?.labels },
    ...(zone === undefined ? {} : { zone }),
    ...(weight === undefined ? {} : { weight }),
    ...(roster?.state === 'draining' ? { isDraining: true } : {}),
  };
}
