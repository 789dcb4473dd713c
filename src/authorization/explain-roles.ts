import { explainMatch, type NearMiss, type PatternMatch } from '../identity/match-identity.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { Role } from '../rpc/caller.ts';
import type { RoleLists } from './admission.ts';

/** Why an identity holds a role or does not. */
export interface RoleExplanation {
  readonly role: Extract<Role, keyof RoleLists>;
  /** What gives it; undefined where nothing does. */
  readonly matched: PatternMatch | undefined;
  /** What came nearest; undefined where a pattern matched, or where no name is of a kind that the list asks for. */
  readonly nearest: NearMiss | undefined;
}

/** As {@link rolesOf} decides, list by list: peer, admin, observer. */
export function explainRoles(lists: RoleLists, identity: PeerIdentity): readonly RoleExplanation[] {
  return (['peer', 'admin', 'observer'] as const).map(role => {
    const explanation = explainMatch(lists[role], identity);
    return 'matched' in explanation
      ? { role, matched: explanation.matched, nearest: undefined }
      : { role, matched: undefined, nearest: explanation.nearest };
  });
}
