import { nearestKey } from '../identity/nearest-key.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { quoted } from '../identity/quoted.ts';
import { type Caller, ROLES, type Role } from '../rpc/caller.ts';
import { type TextPattern, textPattern } from './text-pattern.ts';

/** Of a caller, what principals are compared with. */
export type PrincipalFacts = Pick<Caller, 'identity' | 'roles' | 'security' | 'bearer'>;

/**
 * A principal of a policy. Roles and the holders of tokens have words of their own, `role:`, `token:` and `jwt:`, which no
 * name in a certificate satisfies.
 */
export type PrincipalPattern = { readonly text: string } & (
  | { readonly kind: 'role'; readonly role: Role }
  | { readonly kind: 'bearer'; readonly bearer: 'token' | 'jwt'; readonly pattern: TextPattern }
  | { readonly kind: 'certificate'; readonly pattern: TextPattern }
  /** The empty text: TLS without a certificate, and no token. */
  | { readonly kind: 'nobody' }
  /** `*`: whoever has proven any name. */
  | { readonly kind: 'authenticated' }
);

/** Reads a principal, or says what is wrong with it. */
export function parsePrincipal(text: string): PrincipalPattern | { readonly problem: string } {
  if (text === '') return { text, kind: 'nobody' };
  if (text === '*') return { text, kind: 'authenticated' };
  const [, word, rest = ''] = /^(role|token|jwt):(.*)$/s.exec(text) ?? [];
  if (word === undefined) return { text, kind: 'certificate', pattern: textPattern(text) };
  if (word === 'role') {
    const role = ROLES.find(each => each === rest);
    if (role !== undefined) return { text, kind: 'role', role };
    const nearest = nearestKey(rest, ROLES);
    return { problem: `${quoted(rest)} is no role. Roles are ${ROLES.join(', ')}; the nearest is ${nearest}.` };
  }
  if (rest === '') return { problem: `After "${word}:" comes a name, or *.` };
  return { text, kind: 'bearer', bearer: word === 'jwt' ? 'jwt' : 'token', pattern: textPattern(rest) };
}

/**
 * Whether a principal is the caller.
 * @param effect of the rule. To deny, a SPIFFE URI counts also in a certificate that is no valid SPIFFE identity: nobody
 * gets around a rule with a second URI.
 */
export function matchPrincipal(pattern: PrincipalPattern, caller: PrincipalFacts, effect: 'allow' | 'deny'): boolean {
  const { identity, bearer, security } = caller;
  switch (pattern.kind) {
    case 'role':
      return caller.roles.has(pattern.role);
    case 'bearer':
      return bearer?.kind === pattern.bearer && pattern.pattern.matches(bearer.name);
    case 'nobody':
      return identity === undefined && bearer === undefined && security.kind === 'tls';
    case 'authenticated':
      return bearer !== undefined || namesOf(identity, effect).some(name => name !== '');
    case 'certificate':
      return namesOf(identity, effect).some(name => pattern.pattern.matches(name));
  }
}

/**
 * Who the caller is, in one text, for people and for the audit trail: `token:NAME`, `jwt:SUBJECT`, the first name that an
 * allow rule looks at, `sha256:FINGERPRINT` of a certificate that has none, or `role:local` and `role:anonymous` of those
 * without a certificate.
 */
export function principalOf({ identity, bearer, roles }: Omit<PrincipalFacts, 'security'>): string {
  if (bearer !== undefined) return `${bearer.kind}:${bearer.name}`;
  if (identity !== undefined) return namesOf(identity, 'allow')[0] ?? `sha256:${identity.fingerprint256}`;
  return roles.has('local') ? 'role:local' : 'role:anonymous';
}

/** The first kind of name that the certificate has, as gRPC takes it: URIs, else DNS names, else the subject. */
function namesOf(identity: PeerIdentity | undefined, effect: 'allow' | 'deny'): readonly string[] {
  if (identity === undefined) return [];
  const { uris, dnsNames, subject, spiffeId } = identity;
  if (uris.length > 0) return effect === 'deny' ? uris : uris.filter(uri => uri === spiffeId || !/^spiffe:/i.test(uri));
  if (dnsNames.length > 0) return dnsNames;
  return subject === '' ? [] : [subject];
}
