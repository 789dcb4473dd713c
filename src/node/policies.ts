import type { RoleLists } from '../authorization/admission.ts';
import type { OutboundPolicy, TrustProfile } from '../connector/trust-profile.ts';
import { parsePattern } from '../identity/subject-name-pattern.ts';
import type { ListenerPolicy } from '../listener/listener-policy.ts';
import type { BeliefPolicy } from '../membership/member-directory.ts';
import type { CredentialSet } from './credential-set.ts';
import type { NodeSettings, TlsSettings } from './node-settings.ts';

const DEFAULT_TIMEOUT_MS = 5_000;

/** What the listener does under these settings. */
export function listenerPolicyOf({ mode, tls }: NodeSettings): ListenerPolicy {
  return {
    mode,
    requireClientAuth: tls?.requireClientAuth ?? true,
    minVersion: tls?.minVersion ?? 'TLSv1.3',
    sniffTimeoutMs: tls?.sniffTimeoutMs ?? DEFAULT_TIMEOUT_MS,
    handshakeTimeoutMs: tls?.handshakeTimeoutMs ?? DEFAULT_TIMEOUT_MS,
  };
}

/** What the connector dials, and with which credentials. */
export function outboundPolicyOf({ mode, tls }: NodeSettings, credentials: CredentialSet): OutboundPolicy {
  return {
    mode,
    minVersion: tls?.minVersion ?? 'TLSv1.3',
    profiles: tls === undefined ? [] : profilesOf(tls, credentials),
    nodeIdentity: nodeIdentityOf(tls),
  };
}

function profilesOf(tls: TlsSettings, credentials: CredentialSet): readonly TrustProfile[] {
  const special = tls.profiles.map((profile, index) => ({
    name: `profile ${index + 1}`,
    destinations: profile.destinations,
    trust: credentials.storeOf(profile.credentials).snapshot,
    serverSubjectNames: profile.serverSubjectNames ?? tls.serverSubjectNames,
  }));
  const general = {
    name: 'default',
    destinations: [],
    trust: credentials.storeOf(tls.clientCredentials).snapshot,
    serverSubjectNames: tls.serverSubjectNames,
  };
  return [...special, general];
}

/** The pattern that a node of a name must prove; undefined where names are not bound to certificates. */
export function nodeIdentityOf(tls: TlsSettings | undefined): OutboundPolicy['nodeIdentity'] {
  const template = tls?.nodeIdentity;
  if (template === undefined) return undefined;
  return nodeName => parsePattern(template.replaceAll('{node-name}', nodeName));
}

/** What may be believed of what members say about themselves. */
export function beliefPolicyOf({ mode, tls }: NodeSettings): BeliefPolicy {
  return { mode, refuseDowngrade: tls?.refuseDowngrade ?? false };
}

/** Who is who, by certificate. */
export function roleListsOf({ tls, authorization }: NodeSettings): RoleLists {
  return {
    peer: tls?.allowedSubjectNames ?? [],
    admin: authorization.adminSubjectNames,
    observer: authorization.observerSubjectNames,
  };
}
