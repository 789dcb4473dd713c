import { type RoleLists, rolesOf } from '../authorization/admission.ts';
import type { OutboundPolicy, TrustProfile } from '../connector/trust-profile.ts';
import { denialOf } from '../identity/denied-certificate.ts';
import { explainMatch } from '../identity/match-identity.ts';
import { parsePattern } from '../identity/subject-name-pattern.ts';
import type { Admit, ListenerPolicy } from '../listener/listener-policy.ts';
import type { BeliefPolicy } from '../membership/member-directory.ts';
import { type CredentialSet, profileUsage } from './credential-set.ts';
import type { NodeSettings, TlsSettings } from './node-settings.ts';

const DEFAULT_TIMEOUT_MS = 5_000;

/** What the listener does under these settings. Where a token says who calls, a TLS client needs no certificate to connect. */
export function listenerPolicyOf({ mode, tls, authorization }: NodeSettings): ListenerPolicy {
  return {
    mode,
    requireClientAuth: (tls?.requireClientAuth ?? true) && authorization.bearer === undefined,
    minVersion: tls?.minVersion ?? 'TLSv1.3',
    sniffTimeoutMs: tls?.sniffTimeoutMs ?? DEFAULT_TIMEOUT_MS,
    handshakeTimeoutMs: tls?.handshakeTimeoutMs ?? DEFAULT_TIMEOUT_MS,
    withdrawalGraceMs: tls?.withdrawalGraceMs ?? DEFAULT_TIMEOUT_MS,
  };
}

/** What the connector dials, and with which credentials. */
export function outboundPolicyOf({ mode, tls }: NodeSettings, credentials: CredentialSet): OutboundPolicy {
  return {
    mode,
    minVersion: tls?.minVersion ?? 'TLSv1.3',
    profiles: tls === undefined ? [] : profilesOf(tls, credentials),
    withdrawalGraceMs: tls?.withdrawalGraceMs ?? DEFAULT_TIMEOUT_MS,
    denied: tls?.deniedCertificates ?? [],
  };
}

function profilesOf(tls: TlsSettings, credentials: CredentialSet): readonly TrustProfile[] {
  const special = tls.profiles.map(profile => ({
    name: profileUsage(profile),
    destinations: profile.destinations,
    trust: credentials.storeOf(profile.credentials).snapshot,
    serverSubjectNames: profile.serverSubjectNames ?? tls.serverSubjectNames,
    nodeIdentity: nodeIdentityOf(profile.nodeIdentity),
  }));
  const general = {
    name: 'default',
    destinations: [],
    trust: credentials.storeOf(tls.clientCredentials).snapshot,
    serverSubjectNames: tls.serverSubjectNames,
    nodeIdentity: nodeIdentityOf(tls.nodeIdentity),
  };
  return [...special, general];
}

function nodeIdentityOf(template: string | undefined): TrustProfile['nodeIdentity'] {
  if (template === undefined) return undefined;
  return nodeName => parsePattern(template.replaceAll('{node-name}', nodeName));
}

/** What may be believed of what members say about themselves. */
export function beliefPolicyOf({ mode, tls }: NodeSettings): BeliefPolicy {
  return { mode, refuseDowngrade: tls?.refuseDowngrade ?? false };
}

/** Who is who, by certificate. */
export function roleListsOf({ tls, authorization }: Pick<NodeSettings, 'tls' | 'authorization'>): RoleLists {
  return {
    peer: tls?.allowedSubjectNames ?? [],
    admin: authorization.adminSubjectNames,
    observer: authorization.observerSubjectNames,
  };
}

/** The gate of the fabric listener: who is denied may not connect, else who is in one of the lists. The mode was checked before. */
export function admitUnder(settings: Pick<NodeSettings, 'tls' | 'authorization'>): Admit {
  const lists = roleListsOf(settings);
  const denied = settings.tls?.deniedCertificates ?? [];
  return identity => {
    const denial = denialOf(denied, identity);
    if (denial !== undefined) return { admitted: false, ...denial };
    const roles = rolesOf(lists, identity);
    if (roles.size > 0 || identity === undefined) return { admitted: true, roles };
    const explained = explainMatch([...lists.peer, ...lists.admin, ...lists.observer], identity);
    const nearest = 'nearest' in explained ? explained.nearest : undefined;
    const detail =
      nearest === undefined
        ? 'no name of the certificate is in any list'
        : `nearest: ${nearest.pattern} against ${nearest.kind}:${nearest.value}, ${nearest.why}`;
    return { admitted: false, reason: 'subject_not_allowed', detail };
  };
}
