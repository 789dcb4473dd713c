import * as grpc from '@grpc/grpc-js';
import type { EndReason, RefusalReason } from '../errors/refusal-reason.ts';
import type { Caller, Role } from '../rpc/caller.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type ActiveCall, type CallCounter, callInterceptor } from './call-interceptor.ts';
import type { Standing } from './connection-standing.ts';
import type { AuthorizeCall, CallRules } from './listener-policy.ts';

export interface ConnectionCallsParts {
  /** As it was admitted; its roles are those of the standing from then on. */
  readonly caller: Caller;
  /** Whether its peer may be here, as of now. The same object for as long as nothing changed. */
  readonly standing: { readonly now: Standing };
  readonly rules: CallRules;
  readonly metrics: Metrics;
  /** Told of what went wrong while it was decided on a call. */
  readonly onCallFailed: (path: string, error: unknown) => void;
}

const NO_METADATA = new grpc.Metadata();

/**
 * Who calls over one connection, whichever side dialled it, and the calls that run.
 *
 * C1. Every call has the caller that the connection has when the call arrives, and is refused where its standing then is
 *     that it may not be here any more.
 * C2. The caller is the same object for as long as its roles are: decisions are remembered by it.
 */
export class ConnectionCalls {
  /** For each call that comes over the connection, by HTTP/2 or over the peer stream on it. */
  readonly interceptor: grpc.ServerInterceptor;
  readonly #standing: ConnectionCallsParts['standing'];
  readonly #rules: CallRules;
  readonly #calls: CallCounter = { active: new Set() };
  /** What running calls were last held against. */
  #held: Caller;
  /** With the roles of the last standing that was asked. */
  #newest: Caller;
  #askedOf: Standing | undefined;
  /** What running calls were last judged by. */
  #allowedBy: AuthorizeCall;

  constructor({ caller, standing, rules, metrics, onCallFailed }: ConnectionCallsParts) {
    this.#held = caller;
    this.#newest = caller;
    this.#standing = standing;
    this.#rules = rules;
    this.#allowedBy = rules.authorize.value;
    this.interceptor = callInterceptor({
      admitted: () => this.#held,
      caller: () => this.now,
      authenticate: rules.authenticate,
      authorize: (...asked) => rules.authorize.value(...asked),
      decided: rules.decided,
      failed: onCallFailed,
      calls: this.#calls,
      metrics,
    });
  }

  /** Who makes a call that arrives now, or why nobody may any more. */
  get now(): Caller | Extract<Standing, { admitted: false }> {
    const standing = this.#standing.now;
    if (!standing.admitted) return standing;
    if (standing !== this.#askedOf) {
      this.#askedOf = standing;
      this.#newest = this.#with(standing.roles);
    }
    return this.#newest;
  }

  /** Who makes the calls that run. */
  get caller(): Caller {
    return this.#held;
  }

  get active(): number {
    return this.#calls.active.size;
  }

  /** Why its peer may not call `path` now, whatever it was when it connected; undefined where it may. */
  refusalOf(path: string): RefusalReason | undefined {
    const { now } = this;
    if ('admitted' in now) return now.reason;
    return this.#rules.authorize.value(now, path, NO_METADATA).allowed ? undefined : 'subject_not_allowed';
  }

  /**
   * Its peer holds these roles from now on. Running calls that it may no longer make, by its roles or by new rules, are
   * cut after `graceMs`. True when it may be that it may do other things than before.
   */
  hold(roles: ReadonlySet<Role>, graceMs: number): boolean {
    const authorize = this.#rules.authorize.value;
    const areOthers = !areSame(roles, this.#held.roles);
    if (!areOthers && authorize === this.#allowedBy) return false;
    this.#allowedBy = authorize;
    if (areOthers) this.#held = this.#newest = this.#with(roles);
    const forbidden = this.#forbidden();
    if (forbidden.length === 0) return true;
    setTimeout(() => {
      const details = 'the caller may no longer make this call (subject_not_allowed)';
      const stillForbidden = new Set(this.#forbidden());
      for (const call of forbidden) if (stillForbidden.has(call)) call.cut(details, 'subject_not_allowed');
    }, graceMs).unref();
    return true;
  }

  /** Ends every call that runs. */
  cut(details: string, reason: EndReason): void {
    for (const call of [...this.#calls.active]) call.cut(details, reason);
  }

  #with(roles: ReadonlySet<Role>): Caller {
    const known = [this.#held, this.#newest].find(caller => areSame(roles, caller.roles));
    return known ?? { ...this.#held, roles };
  }

  #forbidden(): readonly ActiveCall[] {
    const authorize = this.#rules.authorize.value;
    return [...this.#calls.active].filter(call => !call.isAllowed(authorize, this.#held));
  }
}

function areSame(some: ReadonlySet<Role>, others: ReadonlySet<Role>): boolean {
  if (some === others) return true;
  return some.size === others.size && [...some].every(role => others.has(role));
}
