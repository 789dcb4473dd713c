import type { Caller } from '../rpc/caller.ts';
import type { Decision } from '../rpc/decision.ts';
import { type HeaderPattern, type Headers, matchHeader } from './header-pattern.ts';
import { BUILT_IN_POLICY, decideByRole, isOwnMethod } from './method-rules.ts';
import type { Policy, PolicyRule } from './policy.ts';
import { matchPrincipal } from './principal.ts';

/** What calls are decided by. */
export interface CallStandard {
  /** Undefined: the built-in rules alone. */
  readonly policy: Policy | undefined;
  /** Whether the mode of the node is strict. */
  readonly strict: boolean;
}

/** Of a caller, what a decision depends on. */
export type JudgedCaller = Pick<Caller, 'identity' | 'roles' | 'security' | 'bearer'>;

/** The answer to any call of one caller to one method: the first step whose headers are there, else `otherwise`. */
export interface CallPlan {
  readonly steps: readonly { readonly headers: readonly HeaderPattern[]; readonly decision: Decision }[];
  readonly otherwise: Decision;
}

/** Name of the built-in rule that keeps `anonymous` from services of the application in mode strict. */
const ANONYMOUS_IN_STRICT = 'anonymous-in-strict';

/**
 * Everything about a call but its headers. Pure and total: every caller and path has a plan.
 *
 * P1. A deny rule that matches denies, on our own services too.
 * P2. Our own services are then ruled by the built-in table alone.
 * P3. Services of the application are ruled by the built-in table where there is no policy. Where there is one, an allow
 *     rule must match; and in strict no rule lets `anonymous` in.
 */
export function planCalls({ policy, strict }: CallStandard, caller: JudgedCaller, methodPath: string): CallPlan {
  if (policy === undefined) return { steps: [], otherwise: decideByRole(caller, methodPath, strict) };
  const denials = stepsOf(policy, 'deny', caller, methodPath);
  if (denials.otherwise !== undefined) return { steps: denials.steps, otherwise: denials.otherwise };
  if (isOwnMethod(methodPath)) return { steps: denials.steps, otherwise: decideByRole(caller, methodPath, strict) };
  if (strict && caller.roles.has('anonymous'))
    return { steps: denials.steps, otherwise: { allowed: false, policy: BUILT_IN_POLICY, rule: ANONYMOUS_IN_STRICT } };
  const permissions = stepsOf(policy, 'allow', caller, methodPath);
  return {
    steps: [...denials.steps, ...permissions.steps],
    otherwise: permissions.otherwise ?? { allowed: false, policy: policy.name, rule: '' },
  };
}

/** The decision on one call. */
export function decide({ steps, otherwise }: CallPlan, headers: Headers): Decision {
  const step = steps.find(each => each.headers.every(header => matchHeader(header, headers)));
  return step?.decision ?? otherwise;
}

/** Whether a rule is about a caller and a method; its headers are asked of each call. */
export function concerns(
  rule: PolicyRule,
  effect: 'allow' | 'deny',
  caller: JudgedCaller,
  methodPath: string,
): boolean {
  const { principals, paths } = rule;
  if (paths.length > 0 && !paths.some(path => path.matches(methodPath))) return false;
  return principals.length === 0 || principals.some(principal => matchPrincipal(principal, caller, effect));
}

function stepsOf(
  policy: Policy,
  effect: 'allow' | 'deny',
  caller: JudgedCaller,
  methodPath: string,
): { readonly steps: CallPlan['steps']; readonly otherwise: Decision | undefined } {
  const steps: CallPlan['steps'][number][] = [];
  for (const rule of effect === 'deny' ? policy.denyRules : policy.allowRules) {
    if (!concerns(rule, effect, caller, methodPath)) continue;
    const decision = { allowed: effect === 'allow', policy: policy.name, rule: rule.name };
    if (rule.headers.length === 0) return { steps, otherwise: decision };
    steps.push({ headers: rule.headers, decision });
  }
  return { steps, otherwise: undefined };
}
