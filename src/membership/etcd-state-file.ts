import { isRecord, type KeptValueFormat, type Parsed, parseVersioned } from '../lifecycle/kept-value.ts';
import { type EtcdEntry, readEntry } from './etcd-entry.ts';
import type { EtcdState, KeptEntry } from './etcd-state.ts';

const VERSION = 1;

/** The last known state in the data directory; undefined: none. All of it is understood, or nothing. */
export function etcdStateFormat(prefix: string): KeptValueFormat<EtcdState | undefined> {
  return {
    empty: undefined,
    serialize: state => `${JSON.stringify({ version: VERSION, prefix, ...writeState(state) }, undefined, 1)}\n`,
    parse: text => {
      const root = parseVersioned(text, VERSION);
      return 'problem' in root ? root : readState(prefix, root.value);
    },
  };
}

function writeState(state: EtcdState | undefined): object {
  if (state === undefined) return {};
  const { clusterId, revision, raftTerm, entries, kept } = state;
  const records = Object.fromEntries([...entries].map(([key, { text, modRevision }]) => [key, { text, modRevision }]));
  return { clusterId, revision, raftTerm, records, kept: Object.fromEntries(kept) };
}

function readState(prefix: string, root: Readonly<Record<string, unknown>>): Parsed<EtcdState | undefined> {
  // Of another cluster, or of one that was called otherwise: nothing of it is true here.
  if (root.prefix !== prefix || root.clusterId === undefined) return { value: undefined };
  const { clusterId, revision, raftTerm, records, kept } = root;
  const areNumbers = Number.isSafeInteger(revision) && Number.isSafeInteger(raftTerm);
  if (typeof clusterId !== 'string' || !areNumbers || !isRecord(records) || !isRecord(kept))
    return { problem: 'does not hold a state of etcd' };
  const entries = new Map<string, EtcdEntry>();
  for (const [key, record] of Object.entries(records)) {
    const { text, modRevision } = isRecord(record) ? record : {};
    const isWhole = typeof text === 'string' && Number.isSafeInteger(modRevision);
    const entry = isWhole ? readEntry(prefix, { key, value: text, modRevision: Number(modRevision) }) : undefined;
    if (entry === undefined || 'problem' in entry) return { problem: 'holds a record that cannot be understood' };
    entries.set(key, entry);
  }
  const keptEntries = new Map<string, KeptEntry>();
  for (const [key, value] of Object.entries(kept)) {
    const { why, sinceRevision, unbelieved } = isRecord(value) ? value : {};
    const isKnown = unbelieved === 'loss' || unbelieved === 'removal';
    if (!isKnown || typeof why !== 'string' || !Number.isSafeInteger(sinceRevision))
      return { problem: 'holds a record that cannot be understood' };
    keptEntries.set(key, { why, sinceRevision: Number(sinceRevision), unbelieved });
  }
  const moment = { clusterId, revision: Number(revision), raftTerm: Number(raftTerm) };
  return { value: { ...moment, entries, kept: keptEntries, rejected: new Map() } };
}
