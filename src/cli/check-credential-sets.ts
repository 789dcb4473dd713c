import { isDeepStrictEqual } from 'node:util';
import { checkCredentials } from '../credentials/check-credentials.ts';
import type { CredentialReading } from '../credentials/credential-bytes.ts';
import type { CredentialProblem } from '../credentials/credential-problem.ts';
import { type CredentialSpec, openCredentialSource } from '../credentials/open-credential-source.ts';
import type { OwnCertificate } from '../credentials/own-certificate.ts';
import type { TrustAnchor } from '../credentials/trust-anchors.ts';
import type { ConfigProblem } from '../errors/selvedge-error.ts';
import { type CredentialUse, profileUsage } from '../node/credential-set.ts';
import type { TlsSettings } from '../node/node-settings.ts';
import { silentLogger } from '../telemetry/logger.ts';

/** A set of credentials that can be used. */
export interface CheckedSet {
  /** `server`, `client` where it differs, `profile blue`, ... */
  readonly usage: string;
  readonly own: OwnCertificate;
  readonly anchors: readonly TrustAnchor[];
}

export interface CredentialSetsReport {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
  readonly sets: readonly CheckedSet[];
}

/** The credentials that settings name. */
export type NamedSets = Pick<TlsSettings, 'serverCredentials' | 'clientCredentials' | 'profiles'>;

/**
 * Reads and judges every set of credentials that the settings name; a set that is used twice is looked at once.
 * @param sources of members that have credentials of their own.
 */
export async function checkCredentialSets(
  tls: NamedSets | undefined,
  now: Date,
  sources: readonly CredentialUse[] = [],
): Promise<CredentialSetsReport> {
  const problems = new Map<string, ConfigProblem>();
  const warnings = new Set<string>();
  const sets: CheckedSet[] = [];
  for (const { usage, table, spec } of setsOf(tls, sources)) {
    const reading = await readOnce(spec);
    const check = reading.ok
      ? checkCredentials(reading.bytes, now)
      : { ...reading, warnings: [], credentials: undefined };
    for (const problem of check.problems)
      problems.set(`${problem.file} ${problem.problem}`, placed(problem, table, spec));
    for (const warning of [...check.warnings, ...((reading.ok && reading.warnings) || [])]) warnings.add(warning);
    if (check.credentials !== undefined)
      sets.push({ usage, own: check.credentials.own, anchors: check.credentials.anchors });
  }
  return { problems: [...problems.values()], warnings: [...warnings], sets };
}

interface CredentialSet {
  readonly usage: string;
  /** Where the configuration speaks of it. */
  readonly table: string;
  readonly spec: CredentialSpec;
}

function setsOf(tls: NamedSets | undefined, sources: readonly CredentialUse[]): readonly CredentialSet[] {
  const all = [
    ...(tls === undefined ? [] : fabricSets(tls)),
    ...sources.map(({ usage, spec }) => ({ usage, table: `membership.${usage}`, spec })),
  ];
  return all.filter(({ spec }, index) => all.findIndex(other => isDeepStrictEqual(other.spec, spec)) === index);
}

function fabricSets({ serverCredentials, clientCredentials, profiles }: NamedSets): readonly CredentialSet[] {
  return [
    { usage: 'server', table: 'networking.tls', spec: serverCredentials },
    { usage: 'client', table: 'networking.tls.client', spec: clientCredentials },
    ...profiles.map((profile, index) => ({
      usage: profileUsage(profile),
      table: `networking.tls.profile[${index}]`,
      spec: profile.credentials,
    })),
  ];
}

/** What a source holds now. */
export async function readOnce(spec: CredentialSpec): Promise<CredentialReading> {
  const source = await openCredentialSource(spec, { watch: false, onChange: () => {}, logger: silentLogger });
  try {
    return await source.read();
  } finally {
    await source.close();
  }
}

function placed({ file, problem }: CredentialProblem, table: string, spec: CredentialSpec): ConfigProblem {
  const key = keyOf(file, spec);
  return { key: key === '' ? table : `${table}.${key}`, place: file, problem, remedy: '' };
}

function keyOf(file: string, spec: CredentialSpec): string {
  if (spec.kind === 'auto') return 'source';
  if (spec.caFiles.includes(file)) return 'ca-file';
  if (spec.crlFiles.includes(file)) return 'crl-file';
  switch (spec.kind) {
    case 'files':
      return file === spec.keyFile ? 'key-file' : file === spec.certFile ? 'cert-file' : '';
    case 'bundle':
      return 'bundle-file';
    case 'directory':
      return 'directory';
    case 'spiffe':
      return 'workload-api-socket';
  }
}
