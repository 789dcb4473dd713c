import { parseDeniedCertificate } from '../identity/denied-certificate.ts';
import { type DestinationPattern, parseDestination } from '../identity/destination-pattern.ts';
import { parsePattern, type SubjectNamePattern } from '../identity/subject-name-pattern.ts';
import { TLS_VERSIONS, type TlsMode, type TlsOptions, type TlsProfileOptions } from './node-options.ts';
import type { TlsProfileSettings, TlsSettings } from './node-settings.ts';
import type { OptionPath, OptionProblems } from './option-problems.ts';
import {
  NO_CREDENTIALS,
  namesCredentials,
  type ResolvedCredentials,
  resolveCredentials,
} from './resolve-credentials.ts';

const TLS = ['networking', 'tls'];
const PLACEHOLDER = '{node-name}';

/** Undefined in `plain` mode without credentials; what else was said is judged all the same. */
export function resolveTls(
  options: TlsOptions,
  mode: TlsMode | undefined,
  nodeName: string | undefined,
  found: OptionProblems,
): TlsSettings | undefined {
  const { client, profiles = [] } = options;
  const isUsed = mode !== 'plain' || profiles.length > 0 || client !== undefined || namesCredentials(options);
  const server = isUsed ? resolveCredentials(TLS, options, undefined, found) : NO_CREDENTIALS;
  const clientSet = resolveCredentials([...TLS, 'client'], client ?? {}, server, found);
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
    serverCredentials: server.spec,
    clientCredentials: clientSet.spec,
    profiles: resolveProfiles(profiles, clientSet, found),
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

function resolveProfiles(
  profiles: readonly TlsProfileOptions[],
  client: ResolvedCredentials,
  found: OptionProblems,
): readonly TlsProfileSettings[] {
  const claims = new Map<string, number>();
  return profiles.map((profile, index) => {
    const path = [...TLS, 'profiles', index];
    const names = profile.serverSubjectNames;
    return {
      destinations: resolveDestinations([...path, 'destinations'], profile.destinations ?? [], index, claims, found),
      credentials: resolveCredentials(path, profile, client, found).spec,
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
