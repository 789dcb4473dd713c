import { parseDeniedCertificate } from '../identity/denied-certificate.ts';
import { TLS_VERSIONS, type TlsMode, type TlsOptions } from './node-options.ts';
import type { TlsSettings } from './node-settings.ts';
import { OptionProblems } from './option-problems.ts';
import {
  NO_CREDENTIALS,
  namesCredentials,
  type ResolvedCredentials,
  resolveCredentials,
} from './resolve-credentials.ts';
import { resolveNodeIdentity, resolvePatterns } from './resolve-names.ts';
import { resolvePlaintextDeadline } from './resolve-plaintext-deadline.ts';
import { resolveProfiles } from './resolve-profiles.ts';

const TLS = ['networking', 'tls'];

/** What this node dials with, beside its profiles, for those who inherit from it; what is wrong there is told by {@link resolveTls}. */
export function outboundCredentials(options: TlsOptions): ResolvedCredentials {
  const told = new OptionProblems();
  return resolveCredentials(
    [...TLS, 'client'],
    options.client ?? {},
    resolveCredentials(TLS, options, undefined, told),
    told,
  );
}

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
  const nodeIdentity =
    options.nodeIdentity === undefined
      ? undefined
      : resolveNodeIdentity(options.nodeIdentity, [...TLS, 'nodeIdentity'], nodeName, found);

  const settings = {
    requireClientAuth,
    allowedSubjectNames: patterns('allowedSubjectNames'),
    serverSubjectNames: patterns('serverSubjectNames'),
    deniedCertificates: found.parseList(
      [...TLS, 'deniedCertificates'],
      options.deniedCertificates ?? [],
      parseDeniedCertificate,
    ),
    nodeIdentity,
    minVersion: minVersion === '1.2' ? 'TLSv1.2' : 'TLSv1.3',
    handshakeTimeoutMs: duration('handshakeTimeoutMs', 5_000),
    sniffTimeoutMs: duration('sniffTimeoutMs', 5_000),
    withdrawalGraceMs: duration('withdrawalGraceMs', 5_000),
    canary: options.canary ?? true,
    refuseDowngrade: options.refuseDowngrade ?? false,
    plaintextDeadline: resolvePlaintextDeadline(options.plaintextDeadline, mode, found),
    refreshIntervalMs: duration('refreshIntervalMs', 3_600_000),
    serverCredentials: server.spec,
    clientCredentials: clientSet.spec,
    profiles: resolveProfiles(
      profiles,
      { path: [...TLS, 'profiles'], client: clientSet, nodeIdentity, nodeName },
      found,
    ),
  } as const;
  return isUsed && mode !== undefined ? { mode, ...settings } : undefined;
}

function requireSomebody(allowed: readonly string[], found: OptionProblems): void {
  if (allowed.length > 0) return;
  found.add(
    [...TLS, 'allowedSubjectNames'],
    'Nobody may connect: a client certificate is required, and no subject name is allowed.',
    'List the patterns of your nodes, such as ["uri:spiffe://prod/fabric/*"], or say ["*"] to admit every certificate of the CA.',
  );
}
