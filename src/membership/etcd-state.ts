import type { EtcdEvent, EtcdKeyValue, EtcdMoment } from '../rpc/etcd-answers.ts';
import { type EtcdEntry, readEntry } from './etcd-entry.ts';
import { isTombstone, viewOf } from './etcd-view.ts';

/** A key that etcd no longer has as it is here. */
export interface KeptEntry {
  /** What is not believed: that it is gone, or that its node was taken out. */
  readonly unbelieved: 'loss' | 'removal';
  /** Of the store when it was missed: what is written later is meant. */
  readonly sinceRevision: number;
  readonly why: string;
}

/**
 * What is known of the keys of a cluster. Every function returns a new one.
 *
 * E1. A record that cannot be understood changes nothing: what its key said before goes on. Where operators wrote it, that
 *     is a problem; what a node says of itself is its own affair, and must not trouble all others.
 * E2. Nobody leaves by accident. Where everything is gone at once, another etcd answers, or an earlier time of it, what is
 *     missing is kept until it is written again or its node is removed by name; who was removed stays so; and who is removed
 *     there and was not before is not, until that is written again.
 */
export interface EtcdState extends EtcdMoment {
  /** By key; `members` and `nodes` alone. */
  readonly entries: ReadonlyMap<string, EtcdEntry>;
  readonly kept: ReadonlyMap<string, KeptEntry>;
  /** Why a key is not understood. Holds no text of the record. */
  readonly rejected: ReadonlyMap<string, string>;
}

/**
 * Everything was read anew.
 * @param ownKey a record that only this process writes, and that nothing but a loss takes away; undefined: there is none.
 */
export function afterRange(
  before: EtcdState | undefined,
  prefix: string,
  range: EtcdMoment & { readonly kvs: readonly EtcdKeyValue[] },
  ownKey?: string,
): EtcdState {
  const { clusterId, revision, raftTerm } = range;
  const next = mutable({ clusterId, revision, raftTerm, entries: new Map(), kept: new Map(), rejected: new Map() });
  for (const kv of range.kvs) take(next, prefix, kv, before?.entries.get(kv.key));
  if (before === undefined) return next;
  const modRevisions = new Map(range.kvs.map(({ key, modRevision }) => [key, modRevision]));
  const why = whyUnmeant(before, next, ownKey);
  for (const key of new Set([...before.entries.keys(), ...before.kept.keys(), ...next.entries.keys()])) {
    const [kept, was, is] = [before.kept.get(key), before.entries.get(key), next.entries.get(key)];
    if (kept !== undefined && why === undefined && (modRevisions.get(key) ?? 0) > kept.sinceRevision) continue;
    const since = why === undefined ? kept : { sinceRevision: revision, why };
    if (since === undefined) continue;
    const isGone = !modRevisions.has(key) || (isTombstone(was) && !isTombstone(is));
    const isLost = was !== undefined && isGone && !hasLeft(was);
    if (isLost) keep(next, key, was, { ...since, unbelieved: 'loss' });
    else if (isTakenOut(was, is)) keep(next, key, was, { ...since, unbelieved: 'removal' });
  }
  return withoutRemoved(next);
}

/** These things happened, in this order. */
export function afterEvents(
  before: EtcdState,
  prefix: string,
  { revision, raftTerm, events }: Omit<EtcdMoment, 'clusterId'> & { readonly events: readonly EtcdEvent[] },
): EtcdState {
  const next = mutable({ ...before, revision, raftTerm: Math.max(before.raftTerm, raftTerm) });
  for (const { key, value, modRevision } of events) {
    next.kept.delete(key);
    next.rejected.delete(key);
    if (value === undefined) next.entries.delete(key);
    else take(next, prefix, { key, value, modRevision }, next.entries.get(key));
  }
  if (events.some(({ value }) => value === undefined) && isEmptied(before, next)) {
    const kept = { sinceRevision: revision, why: 'all were deleted at once', unbelieved: 'loss' } as const;
    for (const { key, value } of events) {
      const entry = value === undefined ? before.entries.get(key) : undefined;
      if (entry !== undefined) keep(next, key, entry, kept);
    }
  }
  return withoutRemoved(next);
}

/** What an operator should know, one line each. */
export function problemsOf({ kept, rejected }: EtcdState): readonly string[] {
  const groups = new Map<string, { first: KeptEntry; isDecision: boolean; names: Set<string> }>();
  for (const [key, entry] of kept) {
    const [kind = '', name = ''] = key.split('/').slice(-2);
    const isDecision = kind === 'members';
    const group = groups.get(`${isDecision}${entry.unbelieved}${entry.why}`) ?? {
      first: entry,
      isDecision,
      names: new Set(),
    };
    groups.set(`${isDecision}${entry.unbelieved}${entry.why}`, group);
    group.names.add(name);
  }
  return [
    ...[...groups.values()].map(({ first: { unbelieved, why }, isDecision, names }) => {
      const list = [...names].sort().join(', ');
      const are = names.size === 1 ? 'is' : 'are';
      if (unbelieved === 'removal')
        return `${list} ${are} removed in etcd and not before (${why}): not believed until removed again by name`;
      return isDecision
        ? `what operators decided of ${list} is not in etcd as before (${why}): kept until it is decided again, by selvedgectl nodes add, drain or remove`
        : `${list} ${are} not in etcd as before (${why}): kept until registered again or removed by name`;
    }),
    ...[...rejected]
      .filter(([key]) => isOfOperators(key))
      .map(([key, problem]) => `${key} is not understood: ${problem}`),
  ];
}

function isOfOperators(key: string): boolean {
  return /\/members\/[^/]*$/.test(key);
}

interface MutableState extends EtcdState {
  readonly entries: Map<string, EtcdEntry>;
  readonly kept: Map<string, KeptEntry>;
  readonly rejected: Map<string, string>;
}

function mutable({ entries, kept, rejected, ...moment }: EtcdState): MutableState {
  return { ...moment, entries: new Map(entries), kept: new Map(kept), rejected: new Map(rejected) };
}

function take(
  state: MutableState,
  prefix: string,
  kv: Parameters<typeof readEntry>[1],
  known: EtcdEntry | undefined,
): void {
  const entry = readEntry(prefix, kv);
  if (entry === undefined) return;
  if (!('problem' in entry)) {
    state.entries.set(kv.key, entry);
    return;
  }
  state.rejected.set(kv.key, entry.problem);
  if (known !== undefined) state.entries.set(kv.key, known);
}

function keep(state: MutableState, key: string, entry: EtcdEntry | undefined, kept: KeptEntry): void {
  if (entry === undefined) state.entries.delete(key);
  else state.entries.set(key, entry);
  state.kept.set(key, kept);
}

/** Who is removed by name is not kept any longer. */
function withoutRemoved(state: MutableState): EtcdState {
  const removed = new Set([...state.entries.values()].filter(isTombstone).map(({ name }) => name));
  for (const key of [...state.kept.keys()]) {
    const entry = state.entries.get(key);
    if (entry?.kind !== 'nodes' || !removed.has(entry.name)) continue;
    state.entries.delete(key);
    state.kept.delete(key);
  }
  return state;
}

/** By a record that says other than the one before; what the same one says was believed already. */
function isTakenOut(was: EtcdEntry | undefined, is: EtcdEntry | undefined): boolean {
  return is?.kind === 'members' && isTombstone(is) && (was?.kind !== 'members' || was.roster.state !== is.roster.state);
}

function whyUnmeant(before: EtcdState, next: EtcdState, ownKey: string | undefined): string | undefined {
  if (before.clusterId !== next.clusterId) return 'another etcd cluster answers';
  if (wentBack(before, next)) return 'etcd went back to an earlier time';
  const isOwnLost = ownKey !== undefined && before.entries.has(ownKey) && !next.entries.has(ownKey);
  if (isOwnLost) return 'what this node wrote is gone';
  return isEmptied(before, next) ? 'all are gone at once' : undefined;
}

/** What never falls has fallen: the revision of the store or of a record, or the term of its leaders. */
function wentBack(before: EtcdState, next: EtcdState): boolean {
  if (next.revision < before.revision || next.raftTerm < before.raftTerm) return true;
  return [...next.entries].some(([key, { modRevision }]) => {
    const was = before.kept.has(key) ? undefined : before.entries.get(key);
    return was !== undefined && modRevision < was.modRevision;
  });
}

/** No member is left, or no registration, of those that etcd has itself; who left by its own word is not missed. */
function isEmptied(before: EtcdState, next: EtcdState): boolean {
  const was = liveOf(before, key => hasLeft(next.entries.get(key)));
  const is = liveOf(next);
  const registrations = (live: readonly EtcdEntry[]) => live.filter(({ kind }) => kind === 'nodes').length;
  if (registrations(was) > 0 && registrations(is) === 0) return true;
  return is.length < was.length && viewOf(was).members.length > 0 && viewOf(is).members.length === 0;
}

function liveOf({ entries, kept }: EtcdState, hasGone: (key: string) => boolean = () => false): readonly EtcdEntry[] {
  return [...entries]
    .filter(([key, entry]) => !kept.has(key) && !hasLeft(entry) && !hasGone(key))
    .map(([, entry]) => entry);
}

function hasLeft(entry: EtcdEntry | undefined): boolean {
  return entry?.kind === 'nodes' && entry.registration.left === true;
}
