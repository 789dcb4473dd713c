import { parseEtcdKey } from './etcd-keys.ts';
import { type Registration, type RosterRecord, readRegistration, readRosterRecord } from './etcd-records.ts';

/** One record that is understood. */
export type EtcdEntry = {
  readonly text: string;
  readonly name: string;
  /** Of the store, when it was written. */
  readonly modRevision: number;
} & (
  | { readonly kind: 'members'; readonly roster: RosterRecord }
  | { readonly kind: 'nodes'; readonly registration: Registration }
);

/** Undefined for a key that tells nothing of members. */
export function readEntry(
  prefix: string,
  { key, value: text, modRevision }: { readonly key: string; readonly value: string; readonly modRevision: number },
): EtcdEntry | { problem: string } | undefined {
  const parsed = parseEtcdKey(prefix, key);
  if (parsed === undefined || parsed.kind === 'holders') return undefined;
  const { kind, name } = parsed;
  if (kind === 'members') {
    const roster = readRosterRecord(text);
    return 'problem' in roster ? roster : { kind, name, text, modRevision, roster: roster.value };
  }
  const registration = readRegistration(text);
  return 'problem' in registration ? registration : { kind, name, text, modRevision, registration: registration.value };
}
