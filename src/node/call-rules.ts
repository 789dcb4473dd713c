import type { AuditTrail } from '../audit/audit-trail.ts';
import type { CallRules } from '../listener/listener-policy.ts';
import type { CallPolicies } from './call-policies.ts';

/** What is asked of every call of this node, and who is told what became of it. */
export function callRulesOf({
  policies,
  audit,
}: {
  readonly policies: CallPolicies;
  readonly audit: AuditTrail;
}): CallRules {
  return {
    authorize: policies.authorize,
    decided: (caller, methodPath, decision, metadata) => {
      audit.decided(caller, methodPath, decision);
      policies.decided(caller, methodPath, decision, metadata);
    },
  };
}
