import type { CallStandard } from '../authorization/call-plan.ts';
import { describeDecision } from '../authorization/describe-decision.ts';
import { explainDecision } from '../authorization/explain-decision.ts';
import { BUILT_IN_POLICY } from '../authorization/method-rules.ts';
import { principalOf } from '../authorization/principal.ts';
import type { ExplainedCall } from '../control/explain-question.ts';
import type { Caller } from '../rpc/caller.ts';
import type { Explanation, PolicyDecision } from '../rpc/explain-messages.ts';
import { isMessagePath } from '../rpc/message-path.ts';

/** What calls are decided by, and what would decide on them. */
export interface CallStandards {
  readonly enforced: CallStandard;
  /** Undefined without a shadow policy. */
  readonly shadow: CallStandard | undefined;
  /** Without what a call is refused, whatever the rules say; undefined: nothing is lacking. */
  readonly lacks: (caller: Caller, methodPath: string) => 'token' | 'certificate' | undefined;
  /** Paths of the methods that are served; kinds of messages are beside them. */
  readonly served: readonly string[];
}

/** Which calls a caller may make, and by which rules. */
export type ExplainCalls = (caller: Caller) => Pick<Explanation, 'principal' | 'methods'>;

const UNAUTHENTICATED = { allowed: false, policy: BUILT_IN_POLICY, rule: 'authentication' };

/** The decisions of the enforced rules and of the shadow policy, each with what it follows from. */
export function explainCallsUnder(
  { enforced, shadow, lacks, served }: CallStandards,
  call: ExplainedCall,
): ExplainCalls {
  const methods = call.method === undefined ? served.toSorted() : [call.method];
  return caller => {
    const explain = (standard: CallStandard, path: string): PolicyDecision => {
      const lacking = lacks(caller, path);
      if (lacking !== undefined)
        return { ...UNAUTHENTICATED, why: `it showed no certificate, and a ${lacking} is needed` };
      const explanation = explainDecision(standard, caller, path, call.headers);
      return { ...explanation.decision, why: describeDecision(explanation, caller, path) };
    };
    return {
      principal: principalOf(caller),
      methods: methods.map(method => ({
        method,
        served: served.includes(method) || isMessagePath(method),
        enforced: explain(enforced, method),
        shadow: shadow === undefined ? null : explain(shadow, method),
      })),
    };
  };
}
