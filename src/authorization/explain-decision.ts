import type { Decision } from '../rpc/decision.ts';
import { type CallStandard, decide, type JudgedCaller, planCalls } from './call-plan.ts';
import { type Headers, matchHeader } from './header-pattern.ts';
import type { PolicyRule } from './policy.ts';
import { matchPrincipal } from './principal.ts';

/** The parts of a rule, in the order in which they are asked. */
export type RulePart = 'path' | 'principal' | 'headers';

/** How one rule of a policy relates to a call. */
export interface RuleExplanation {
  readonly effect: 'deny' | 'allow';
  readonly rule: string;
  /** What does not match; empty: the rule matches. */
  readonly missed: readonly RulePart[];
}

export interface DecisionExplanation {
  readonly decision: Decision;
  /** Every rule of the policy, denials first, in the order of the file; empty without a policy. */
  readonly rules: readonly RuleExplanation[];
  /** Of a call that is denied: the allow rule with the fewest parts missing, the first of several. */
  readonly nearest: RuleExplanation | undefined;
}

/** Why a call is allowed or denied: the decision, and how each rule relates to it. Pure. */
export function explainDecision(
  standard: CallStandard,
  caller: JudgedCaller,
  methodPath: string,
  headers: Headers,
): DecisionExplanation {
  const decision = decide(planCalls(standard, caller, methodPath), headers);
  const { denyRules = [], allowRules = [] } = standard.policy ?? {};
  const explain = (effect: 'deny' | 'allow') => (rule: PolicyRule) => ({
    effect,
    rule: rule.name,
    missed: missedParts(rule, effect, caller, methodPath, headers),
  });
  const permissions = allowRules.map(explain('allow'));
  const [nearest] = permissions.toSorted((a, b) => a.missed.length - b.missed.length);
  return {
    decision,
    rules: [...denyRules.map(explain('deny')), ...permissions],
    nearest: decision.allowed ? undefined : nearest,
  };
}

function missedParts(
  { paths, principals, headers: asked }: PolicyRule,
  effect: 'deny' | 'allow',
  caller: JudgedCaller,
  methodPath: string,
  headers: Headers,
): readonly RulePart[] {
  const missed: RulePart[] = [];
  if (paths.length > 0 && !paths.some(path => path.matches(methodPath))) missed.push('path');
  if (principals.length > 0 && !principals.some(principal => matchPrincipal(principal, caller, effect)))
    missed.push('principal');
  if (!asked.every(header => matchHeader(header, headers))) missed.push('headers');
  return missed;
}
