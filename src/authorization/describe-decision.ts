import type { Role } from '../rpc/caller.ts';
import type { JudgedCaller } from './call-plan.ts';
import type { DecisionExplanation, RuleExplanation, RulePart } from './explain-decision.ts';
import { BUILT_IN_POLICY, builtInRuleOf } from './method-rules.ts';

/** What decided on a call, or how the nearest rule misses it, in one line for the operator. Pure. */
export function describeDecision(
  { decision, rules, nearest }: DecisionExplanation,
  caller: Pick<JudgedCaller, 'roles'>,
  methodPath: string,
): string {
  if (decision.policy === BUILT_IN_POLICY) return describeBuiltIn(decision.allowed, caller, methodPath);
  if (decision.rule === '') return nearest === undefined ? 'no rule allows anything' : describeNearest(nearest);
  const effect = decision.allowed ? 'allow' : 'deny';
  const asked = rules.filter(each => each.effect === 'deny' && each.missed.length > 0).length;
  const passed = decision.allowed && asked > 0 ? `; none of ${asked} deny rules matches` : '';
  return `the ${effect} rule matches${passed}`;
}

/** The built-in table asks for roles alone. */
function describeBuiltIn(allowed: boolean, { roles: held }: Pick<JudgedCaller, 'roles'>, methodPath: string): string {
  const { roles, anonymousInStrict } = builtInRuleOf(methodPath);
  if (allowed) return `it is open to ${listOf(roles.filter(role => held.has(role)))}`;
  const isAnonymousAlone = roles.includes('anonymous') && held.has('anonymous') && !anonymousInStrict;
  if (isAnonymousAlone) return 'anonymous callers do not reach it while the mode is strict';
  return `it takes ${listOf(roles, 'or')}`;
}

function describeNearest({ rule, missed }: RuleExplanation): string {
  return `no rule allows it; the nearest is ${JSON.stringify(rule)}, but for ${listOf(missed.map(wordOf))}`;
}

function wordOf(part: RulePart): string {
  return part === 'path' ? 'the path' : part === 'principal' ? 'the principal' : 'the headers';
}

function listOf(words: readonly (Role | string)[], last = 'and'): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}
