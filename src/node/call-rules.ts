import type { AuditTrail } from '../audit/audit-trail.ts';
import type { BearerAuthenticator } from '../authentication/bearer-authenticator.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { CallRules } from '../listener/listener-policy.ts';
import { authenticateUnder, authorizeWhileHeld } from './authenticate-calls.ts';
import type { CallPolicies } from './call-policies.ts';
import type { NodeSettings } from './node-settings.ts';

/** What is asked of every call of this node, and who is told what became of it. */
export function callRulesOf({
  policies,
  bearers,
  settings,
  audit,
}: {
  readonly policies: CallPolicies;
  readonly bearers: BearerAuthenticator;
  readonly settings: ObservableValue<NodeSettings>;
  readonly audit: AuditTrail;
}): CallRules {
  return {
    authorize: authorizeWhileHeld(policies.authorize, bearers),
    authenticate: authenticateUnder(settings, bearers),
    hearsAllowed: () => policies.shadow !== undefined || policies.enforced?.auditsAllowed === true,
    decided: (caller, methodPath, decision, metadata) => {
      audit.decided(caller, methodPath, decision);
      policies.decided(caller, methodPath, decision, metadata);
    },
  };
}
