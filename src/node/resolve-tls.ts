import { resolve } from 'node:path';
import type { CredentialSpec } from '../credentials/credential-source.ts';
import { parseDeniedCertificate } from '../identity/denied-certificate.ts';
import { type DestinationPattern, parseDestination } from '../identity/destination-pattern.ts';
import { parsePattern, type SubjectNamePattern } from '../identity/subject-name-pattern.ts';
import {
  type CredentialFileOptions,
  TLS_VERSIONS,
  type TlsMode,
  type TlsOptions,
  type TlsProfileOptions,
} from './node-options.ts';
import type { TlsProfileSettings, TlsSettings } from './node-settings.ts';
import type { OptionPath, OptionProblems } from './option-problems.ts';

const TLS = ['networking', 'tls'];
const PLACEHOLDER = '{node-name}';

/** Undefined in `plain` mode without credentials; what else was said is judged all the same. */
export function resolveTls(
  options: TlsOptions,
  mode: TlsMode | undefined,
  nodeName: string | undefined,
  found: OptionProblems,
): TlsSettings | undefined {
  const { certFile, keyFile, caFiles, client, profiles = [] } = options;
  const isUsed = mode !== 'plain' || profiles.length > 0 || [certFile, keyFile, caFiles, client].some(isGiven);
  const serverCredentials = isUsed ? resolveServerCredentials(options, found) : NO_CREDENTIALS;
  const clientCredentials = inherit([...TLS, 'client'], client ?? {}, serverCredentials, found);
  const minVersion = found.oneOf([...TLS, 'minVersion'], options.minVersion ?? '1.3', TLS_VERSIONS);
  const duration = (
    option: 'handshakeTimeoutMs' | 'sniffTimeoutMs' | 'refreshIntervalMs' | 'withdrawalGraceMs',
    byDefault: number,
  ) => found.durationMs([...TLS, option], options[option] ?? byDefault);
  const patterns = (option: 'allowedSubjectNames' | 'serverSubjectNames') =>
    resolvePatterns([...TLS, option], options[option] ?? [], found);
  const requireClientAuth = options.requireClientAuth ?? true;
  if (isUsed && requireClientAuth) requireSomebody(options.allowedSubjectNames ?? [], found);

  const settings = {
    requireClientAuth,
    allowedSubjectNames: patterns('allowedSubjectNames'),
    serverSubjectNames: patterns('serverSubjectNames'),
    deniedCertificates: found.parseList(
      [...TLS, 'deniedCertificates'],
      options.deniedCertificates ?? [],
      parseDeniedCertificate,
    ),
    nodeIdentity: resolveNodeIdentity(options.nodeIdentity, nodeName, found),
    minVersion: minVersion === '1.2' ? 'TLSv1.2' : 'TLSv1.3',
    handshakeTimeoutMs: duration('handshakeTimeoutMs', 5_000),
    sniffTimeoutMs: duration('sniffTimeoutMs', 5_000),
    withdrawalGraceMs: duration('withdrawalGraceMs', 5_000),
    canary: options.canary ?? true,
    refuseDowngrade: options.refuseDowngrade ?? false,
    refreshIntervalMs: duration('refreshIntervalMs', 3_600_000),
    serverCredentials,
    clientCredentials,
    profiles: resolveProfiles(profiles, clientCredentials, found),
  } as const;
  return isUsed && mode !== undefined ? { mode, ...settings } : undefined;
}

/** The patterns of a list that could be read. `*` must stand alone: beside another pattern, one of the two is a slip. */
export function resolvePatterns(
  path: OptionPath,
  texts: readonly string[],
  found: OptionProblems,
): readonly SubjectNamePattern[] {
  const star = texts.indexOf('*');
  if (star >= 0 && texts.length > 1)
    found.add(
      [...path, star],
      '"*" admits every certificate of the CA, which makes the other patterns meaningless.',
      'Remove "*", or let it stand alone.',
    );
  return found.parseList(path, texts, parsePattern);
}

function requireSomebody(allowed: readonly string[], found: OptionProblems): void {
  if (allowed.length > 0) return;
  found.add(
    [...TLS, 'allowedSubjectNames'],
    'Nobody may connect: a client certificate is required, and no subject name is allowed.',
    'List the patterns of your nodes, such as ["uri:spiffe://prod/fabric/*"], or say ["*"] to admit every certificate of the CA.',
  );
}

function isGiven(option: unknown): boolean {
  return option !== undefined;
}

function resolveNodeIdentity(
  template: string | undefined,
  nodeName: string | undefined,
  found: OptionProblems,
): string | undefined {
  if (template === undefined) return undefined;
  const path = [...TLS, 'nodeIdentity'];
  const problem = templateProblem(template);
  const remedy = `Write it like "uri:spiffe://prod/fabric/${PLACEHOLDER}" or "dns:${PLACEHOLDER}.fabric.example".`;
  if (problem !== undefined) found.add(path, problem, remedy);
  else found.parse(path, template.replaceAll(PLACEHOLDER, nodeName ?? 'node-1'), parsePattern);
  return template;
}

/** What is proven is one name, not a pattern; and which kind it is must not depend on how a node is called. */
function templateProblem(template: string): string | undefined {
  if (!template.includes(PLACEHOLDER))
    return `It must hold ${PLACEHOLDER}, or every node would have to prove the same name.`;
  if (template.includes('*')) return 'It names one node, so it holds no wildcard.';
  if (/^(?:uri|dns|cn):|:\/\//.test(template)) return undefined;
  return 'It does not say which kind of name must be proven.';
}

const NO_CREDENTIALS: CredentialSpec = { kind: 'files', certFile: '', keyFile: '', caFiles: [], crlFiles: [] };

function resolveServerCredentials(options: CredentialFileOptions, found: OptionProblems): CredentialSpec {
  const certFile = found.required([...TLS, 'certFile'], options.certFile, 'where the certificate of the node lies');
  const keyFile = found.required([...TLS, 'keyFile'], options.keyFile, 'where its private key lies');
  const caFiles = options.caFiles ?? [];
  if (caFiles.length === 0)
    found.add([...TLS, 'caFiles'], 'There is no trust anchor.', 'Say which file holds the certificates of your CA.');
  return {
    kind: 'files',
    certFile: resolve(certFile),
    keyFile: resolve(keyFile),
    caFiles: resolveFiles([...TLS, 'caFiles'], caFiles, found),
    crlFiles: resolveFiles([...TLS, 'crlFiles'], options.crlFiles ?? [], found),
  };
}

/** What `options` leave out is that of `from`. */
function inherit(
  path: OptionPath,
  options: CredentialFileOptions,
  from: CredentialSpec,
  found: OptionProblems,
): CredentialSpec {
  const one = (option: 'certFile' | 'keyFile') => {
    const file = options[option];
    return file === undefined ? from[option] : resolve(found.required([...path, option], file, 'which file it is'));
  };
  const many = (option: 'caFiles' | 'crlFiles') => {
    const files = options[option];
    return files === undefined ? from[option] : resolveFiles([...path, option], files, found);
  };
  if (options.caFiles?.length === 0)
    found.add([...path, 'caFiles'], 'An empty list trusts nobody.', 'Name a file, or leave it out to inherit.');
  return {
    kind: 'files',
    certFile: one('certFile'),
    keyFile: one('keyFile'),
    caFiles: many('caFiles'),
    crlFiles: many('crlFiles'),
  };
}

function resolveFiles(path: OptionPath, files: readonly string[], found: OptionProblems): readonly string[] {
  return files.map((file, index) => resolve(found.required([...path, index], file, 'which file it is')));
}

function resolveProfiles(
  profiles: readonly TlsProfileOptions[],
  clientCredentials: CredentialSpec,
  found: OptionProblems,
): readonly TlsProfileSettings[] {
  const claims = new Map<string, number>();
  return profiles.map((profile, index) => {
    const path = [...TLS, 'profiles', index];
    const names = profile.serverSubjectNames;
    return {
      destinations: resolveDestinations([...path, 'destinations'], profile.destinations ?? [], index, claims, found),
      credentials: inherit(path, profile, clientCredentials, found),
      serverSubjectNames: names && resolvePatterns([...path, 'serverSubjectNames'], names, found),
    };
  });
}

/** The first profile that matches wins, so one destination in two profiles is a slip. `claims` says who has which. */
function resolveDestinations(
  path: OptionPath,
  texts: readonly string[],
  profile: number,
  claims: Map<string, number>,
  found: OptionProblems,
): readonly DestinationPattern[] {
  if (texts.length === 0) {
    const remedy = 'Say which addresses it is for, such as ["https://*.blue.example:*"].';
    found.add(path, 'A profile without destinations is never used.', remedy);
  }
  return texts.flatMap((text, index) => {
    const destination = found.parse([...path, index], text, parseDestination);
    if (destination === undefined) return [];
    const { scheme, host, port } = destination;
    const identity = JSON.stringify([scheme, host, port]);
    const owner = claims.get(identity);
    claims.set(identity, owner ?? profile);
    if (owner !== undefined) {
      const where = owner === profile ? 'twice in this profile' : `in profile ${owner + 1} already, and that one wins`;
      found.add([...path, index], `"${text}" stands ${where}.`, 'Remove one of the two.');
    }
    return [destination];
  });
}
