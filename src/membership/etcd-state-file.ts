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
  const { clusterId, revision, entries, kept } = state;
  const records = Object.fromEntries([...entries].map(([key, { text }]) => [key, text]));
  return { clusterId, revision, records, kept: Object.fromEntries(kept) };
}

function readState(prefix: string, root: Readonly<Record<string, unknown>>): Parsed<EtcdState | undefined> {
  // Of another cluster, or of one that was called otherwise: nothing of it is true here.
  if (root.prefix !== prefix || root.clusterId === undefined) return { value: undefined };
  const { clusterId, revision, records, kept } = root;
  if (typeof clusterId !== 'string' || !Number.isSafeInteger(revision) || !isRecord(records) || !isRecord(kept))
    return { problem: 'does not hold a state of etcd' };
  const entries = new Map<string, EtcdEntry>();
  for (const [key, text] of Object.entries(records)) {
    const entry = typeof text === 'string' ? readEntry(prefix, key, text) : undefined;
    if (entry === undefined || 'problem' in entry) return { problem: 'holds a record that cannot be understood' };
    entries.set(key, entry);
  }
  const keptEntries = new Map<string, KeptEntry>();
  for (const [key, value] of Object.entries(kept)) {
    if (!isRecord(value) || typeof value.why !== 'string' || !Number.isSafeInteger(value.sinceRevision))
      return { problem: 'holds a record that cannot be understood' };
    keptEntries.set(key, { why: value.why, sinceRevision: Number(value.sinceRevision) });
  }
  return { value: { clusterId, revision: Number(revision), entries, kept: keptEntries, rejected: new Map() } };
}
