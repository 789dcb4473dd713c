import { isDeepStrictEqual } from 'node:util';
import { checkCredentials } from '../credentials/check-credentials.ts';
import { type CredentialFiles, tryReadCredentialFiles } from '../credentials/credential-files.ts';
import type { CredentialProblem } from '../credentials/credential-problem.ts';
import type { OwnCertificate } from '../credentials/own-certificate.ts';
import type { TrustAnchor } from '../credentials/trust-anchors.ts';
import type { ConfigProblem } from '../errors/selvedge-error.ts';
import type { TlsSettings } from '../node/node-settings.ts';

/** A set of credentials that can be used. */
export interface CheckedSet {
  /** `server`, `client` where it differs, `profile 1`, ... */
  readonly usage: string;
  readonly own: OwnCertificate;
  readonly anchors: readonly TrustAnchor[];
}

export interface CredentialSetsReport {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
  readonly sets: readonly CheckedSet[];
}

/** The sets of files that settings name. */
export type NamedSets = Pick<TlsSettings, 'serverFiles' | 'clientFiles' | 'profiles'>;

/** Reads and judges every set of credentials that the settings name; a set that is used twice is looked at once. */
export async function checkCredentialSets(tls: NamedSets, now: Date): Promise<CredentialSetsReport> {
  const problems = new Map<string, ConfigProblem>();
  const warnings = new Set<string>();
  const sets: CheckedSet[] = [];
  for (const { usage, table, files } of setsOf(tls)) {
    const reading = await tryReadCredentialFiles(files);
    const check = reading.ok
      ? checkCredentials(reading.bytes, now)
      : { ...reading, warnings: [], credentials: undefined };
    for (const problem of check.problems)
      problems.set(`${problem.file} ${problem.problem}`, placed(problem, table, files));
    for (const warning of check.warnings) warnings.add(warning);
    if (check.credentials !== undefined)
      sets.push({ usage, own: check.credentials.own, anchors: check.credentials.anchors });
  }
  return { problems: [...problems.values()], warnings: [...warnings], sets };
}

interface CredentialSet {
  readonly usage: string;
  /** Where the configuration speaks of it. */
  readonly table: string;
  readonly files: CredentialFiles;
}

function setsOf({ serverFiles, clientFiles, profiles }: NamedSets): readonly CredentialSet[] {
  const server = { usage: 'server', table: 'networking.tls', files: serverFiles };
  const client = { usage: 'client', table: 'networking.tls.client', files: clientFiles };
  const all = [
    server,
    client,
    ...profiles.map(({ files }, index) => ({ usage: `profile ${index + 1}`, table: 'networking.tls.profile', files })),
  ];
  return all.filter(({ files }, index) => all.findIndex(other => isDeepStrictEqual(other.files, files)) === index);
}

function placed({ file, problem }: CredentialProblem, table: string, files: CredentialFiles): ConfigProblem {
  const key = keyOf(file, files);
  return { key: key === '' ? table : `${table}.${key}`, place: file, problem, remedy: '' };
}

function keyOf(file: string, { certFile, keyFile, caFiles, crlFiles }: CredentialFiles): string {
  if (file === certFile) return 'cert-file';
  if (file === keyFile) return 'key-file';
  if (caFiles.includes(file)) return 'ca-file';
  return crlFiles.includes(file) ? 'crl-file' : '';
}
