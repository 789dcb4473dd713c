import type { Caller } from '../rpc/caller.ts';
import type { Decision } from '../rpc/decision.ts';
import { isMessagePath } from '../rpc/message-path.ts';
import { type CallPlan, type CallStandard, decide, planCalls } from './call-plan.ts';
import type { Headers } from './header-pattern.ts';

/** Decides on calls. */
export type Authorizer = (caller: Caller, methodPath: string, headers: Headers) => Decision;

/** Paths of one caller, from which on no further kind of messages is remembered. */
const MAX_REMEMBERED = 256;

/**
 * Decides on calls by one standard; another standard takes another authorizer. Rules are gone through once for a caller
 * and a method, and remembered as long as the caller lives: what a later call costs depends neither on the number of
 * rules, but for those that look at its headers, nor on how many calls there were.
 * @param methods which are remembered: those the node serves, so that no peer fills the memory with names of its own;
 * and kinds of messages, as long as there are few of a caller.
 */
export function createAuthorizer(standard: CallStandard, methods: ReadonlySet<string>): Authorizer {
  const plans = new WeakMap<Caller, Map<string, CallPlan>>();
  return (caller, methodPath, headers) => {
    let ofCaller = plans.get(caller);
    const known = ofCaller?.get(methodPath);
    if (known !== undefined) return decide(known, headers);
    const plan = planCalls(standard, caller, methodPath);
    if (methods.has(methodPath) || (isMessagePath(methodPath) && (ofCaller?.size ?? 0) < MAX_REMEMBERED)) {
      ofCaller ??= new Map();
      ofCaller.set(methodPath, plan);
      plans.set(caller, ofCaller);
    }
    return decide(plan, headers);
  };
}
