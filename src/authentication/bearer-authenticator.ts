import type { AuthenticationFailure } from '../errors/authentication-failure.ts';
import { atTime } from '../lifecycle/at-time.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import { Repeats } from '../lifecycle/repeats.ts';
import { type Bearer, type Caller, withBearer } from '../rpc/caller.ts';
import type { Decision } from '../rpc/decision.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { readAuthorization } from './authorization-header.ts';
import { type BearerRules, type BearerVerdict, type Grant, judgeAtOnce, judgeJwt, stillHolds } from './bearer-judge.ts';
import { BoundedCache } from './bounded-cache.ts';
import { FailureBudget } from './failure-budget.ts';

export interface BearerAuthenticatorParts {
  readonly rules: ObservableValue<BearerRules>;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** What is looked at of the metadata of a call. */
export interface CallMetadata {
  get(key: string): readonly (string | Buffer)[];
  remove(key: string): void;
}

/** That nobody was found behind a call. */
type Unauthenticated = Decision & { readonly allowed: false };

const UNAUTHENTICATED: Unauthenticated = { allowed: false, policy: 'built-in', rule: 'authentication' };
const MAX_CONNECTIONS = 10_000;

/**
 * Finds out who calls by the bearer token of the call.
 *
 * A1. A call that carries `authorization` is judged by it: a bad token is refused, even where the certificate of the
 *     connection would have been enough.
 * A2. No token, nor a part of one, goes into a log line, a metric, an error or the metadata that the handler sees.
 * A3. Bad tokens of one connection cost a bounded amount of work, and those of one host a bounded number of log lines.
 * A4. A token that no longer holds no longer holds for calls that run (see `holds`).
 */
export class BearerAuthenticator {
  readonly #parts: BearerAuthenticatorParts;
  /** By connection. */
  readonly #budgets = new BoundedCache<FailureBudget>(MAX_CONNECTIONS);
  readonly #repeats = new Repeats();
  readonly #grants = new WeakMap<Bearer, Grant>();
  readonly #epoch = new MutableValue<object>({});
  /** By the second in which tokens expire. */
  readonly #ends = new Map<number, () => void>();
  readonly #unsubscribe: () => void;

  constructor(parts: BearerAuthenticatorParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.rules.subscribe(() => this.#epoch.set({}));
  }

  /** Another object when a token that held may hold no longer. */
  get epoch(): ObservableValue<object> {
    return this.#epoch;
  }

  /** Whether a token that was found good is still so. */
  holds(bearer: Bearer): boolean {
    const grant = this.#grants.get(bearer);
    return grant !== undefined && stillHolds(grant, this.#parts.rules.value, Date.now());
  }

  /** The caller with what its token gives; one with a certificate needs none. */
  authenticate(
    caller: Caller,
    methodPath: string,
    metadata: CallMetadata,
  ): Caller | Unauthenticated | Promise<Caller | Unauthenticated> {
    const header = readAuthorization(metadata.get('authorization'));
    if (header.kind === 'absent') {
      return caller.identity === undefined ? this.refuse(caller, methodPath, 'no_credentials') : caller;
    }
    metadata.remove('authorization');
    const rules = this.#parts.rules.value;
    // Before anything is looked at: whatever it is, others have read it.
    if (caller.security.kind === 'none' && !rules.allowPlaintext)
      return this.refuse(caller, methodPath, 'plaintext_token');
    if (header.kind === 'malformed') return this.refuse(caller, methodPath, 'malformed_authorization');
    const budget = this.#budgetOf(caller);
    const conclude = (verdict: BearerVerdict): Caller | Unauthenticated => {
      if ('bearer' in verdict) return this.#accept(caller, verdict);
      budget.spend();
      return this.refuse(caller, methodPath, verdict.failure);
    };
    const known = judgeAtOnce(rules, header.token, Date.now());
    if (known !== undefined && 'bearer' in known) return conclude(known);
    if (!budget.isLeft(Date.now())) return this.refuse(caller, methodPath, 'too_many_failures');
    if (known !== undefined || rules.verifier === undefined) return conclude(known ?? { failure: 'unknown_token' });
    return judgeJwt(rules.verifier, header.token, Date.now()).then(conclude);
  }

  /** Refuses a call, with the reason in the log. */
  refuse(caller: Caller, methodPath: string, reason: AuthenticationFailure): Unauthenticated {
    const { logger, metrics } = this.#parts;
    metrics.authentications.inc({ result: reason });
    // By host: a new connection costs its caller little, and must not buy new lines.
    const host = caller.remoteAddress.replace(/:\d+$/, '');
    const suppressed = this.#repeats.next(`${host} ${reason}`, Date.now());
    if (suppressed !== undefined)
      logger.warn('authentication.failed', {
        connection: caller.connectionId,
        remote: caller.remoteAddress,
        method: methodPath.slice(1),
        reason,
        ...(suppressed === 0 ? {} : { suppressed }),
      });
    return UNAUTHENTICATED;
  }

  close(): void {
    this.#unsubscribe();
    for (const stop of this.#ends.values()) stop();
  }

  #accept(caller: Caller, grant: Grant): Caller {
    this.#parts.metrics.authentications.inc({ result: 'ok' });
    this.#grants.set(grant.bearer, grant);
    this.#awaitEnd(grant.expiresAtMs);
    return withBearer(caller, grant.bearer);
  }

  #awaitEnd(expiresAtMs: number): void {
    if (!Number.isFinite(expiresAtMs)) return;
    const second = Math.ceil(expiresAtMs / 1_000);
    if (this.#ends.has(second)) return;
    const end = () => {
      this.#ends.delete(second);
      this.#epoch.set({});
    };
    this.#ends.set(second, atTime(second * 1_000, end));
  }

  #budgetOf({ connectionId }: Caller): FailureBudget {
    const known = this.#budgets.get(connectionId);
    if (known !== undefined) return known;
    const budget = new FailureBudget(Date.now());
    this.#budgets.set(connectionId, budget);
    return budget;
  }
}
