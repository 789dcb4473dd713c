import { matchIdentity } from '../identity/match-identity.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { SubjectNamePattern } from '../identity/subject-name-pattern.ts';
import type { Role } from '../rpc/caller.ts';

/** The lists that say who is who. */
export interface RoleLists {
  readonly peer: readonly SubjectNamePattern[];
  readonly admin: readonly SubjectNamePattern[];
  readonly observer: readonly SubjectNamePattern[];
}

/**
 * The roles of a verified identity: a set, from all lists that match. Empty: it may not connect. Who shows no
 * certificate (where that is allowed) is `anonymous`.
 */
export function rolesOf(lists: RoleLists, identity: PeerIdentity | undefined): ReadonlySet<Role> {
  if (identity === undefined) return new Set<Role>(['anonymous']);
  const roles = (['peer', 'admin', 'observer'] as const).filter(
    role => matchIdentity(lists[role], identity) !== undefined,
  );
  return new Set<Role>(roles);
}
