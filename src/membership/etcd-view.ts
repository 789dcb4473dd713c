import type { EtcdEntry } from './etcd-entry.ts';
import type { RosterState } from './etcd-records.ts';
import type { Member } from './member.ts';
import type { MembershipView } from './membership-source.ts';

/** Whether an operator took the node out by this record. */
export function isTombstone(entry: EtcdEntry | undefined): boolean {
  return entry?.kind === 'members' && isOut(entry.roster.state);
}

export function isOut(state: RosterState): boolean {
  return state === 'removed' || state === 'terminating';
}

/** Who exists by these records, sorted by name. What operators say goes before what a node says of itself. */
export function viewOf(entries: Iterable<EtcdEntry>): MembershipView {
  const byName = new Map<string, { [Kind in EtcdEntry['kind']]?: Extract<EtcdEntry, { kind: Kind }> }>();
  for (const entry of entries) byName.set(entry.name, { ...byName.get(entry.name), [entry.kind]: entry });
  const members: Member[] = [];
  const removed: string[] = [];
  const terminating: string[] = [];
  for (const [name, { members: operators, nodes }] of [...byName].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [roster, registration] = [operators?.roster, nodes?.registration];
    if (roster !== undefined && isOut(roster.state)) {
      removed.push(name);
      if (roster.state === 'terminating') terminating.push(name);
      continue;
    }
    const addresses = [roster?.addresses, registration?.addresses].find(list => list !== undefined && list.length > 0);
    if (addresses === undefined) continue;
    const zone = roster?.zone ?? registration?.zone;
    const weight = roster?.weight ?? registration?.weight;
    members.push({
      name,
      addresses,
      labels: { ...registration?.labels, ...roster?.labels },
      ...(zone === undefined ? {} : { zone }),
      ...(weight === undefined ? {} : { weight }),
      ...(roster?.state === 'draining' ? { isDraining: true } : {}),
    });
  }
  return { members, removed, ...(terminating.length === 0 ? {} : { terminating }) };
}
