import { callerPrincipal } from '../audit/audit-principal.ts';
import type { MembershipEdit } from '../audit/audit-record.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import type { NodeFacts } from '../control/node-facts.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { formatAddress } from '../identity/address.ts';
import type { MembershipChange, MembershipEditor } from '../membership/membership-editor.ts';
import type { Logger } from '../telemetry/logger.ts';

export interface EditMembershipParts {
  /** Of now: sources may be exchanged. */
  readonly editor: () => MembershipEditor;
  readonly audit: Pick<AuditTrail, 'edited'>;
  readonly logger: Logger;
}

/** Changes members in the name of a caller. The audit trail has what was asked for, also where it could not be done; the log what was done. */
export function membershipEditing({ editor, audit, logger }: EditMembershipParts): NodeFacts['editMembership'] {
  return async (change, caller, methodPath) => {
    const by = callerPrincipal(caller);
    try {
      await editor().change(change, by);
    } catch (error) {
      audit.edited(caller, methodPath, editOf(change), isSelvedgeError(error) ? error.code : 'internal');
      throw error;
    }
    audit.edited(caller, methodPath, editOf(change), '');
    logger.info('membership.edited', { node: change.name, kind: change.kind, by });
  };
}

function editOf(change: MembershipChange): MembershipEdit {
  const { kind, name: member } = change;
  if (kind !== 'add') return { change: kind, member };
  const { addresses, labels, zone, weight } = change;
  return {
    change: kind,
    member,
    ...(addresses.length === 0 ? {} : { addresses: addresses.map(formatAddress) }),
    ...(labels === undefined ? {} : { labels }),
    ...(zone === undefined ? {} : { zone }),
    ...(weight === undefined ? {} : { weight }),
  };
}
