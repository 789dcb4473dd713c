import { type Authorizer, createAuthorizer } from '../authorization/authorizer.ts';
import type { CallStandard } from '../authorization/call-plan.ts';
import type { Policy } from '../authorization/policy.ts';
import { principalOf } from '../authorization/principal.ts';
import { divergenceOf, ShadowReport } from '../authorization/shadow-report.ts';
import { isSelvedgeError, messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { WatchedFile } from '../lifecycle/watched-file.ts';
import type { AuthorizeCall, CallDecided } from '../listener/listener-policy.ts';
import { isMessagePath } from '../rpc/message-path.ts';
import { printable } from '../telemetry/logger.ts';
import type { PolicyFileName } from './node-problems.ts';
import type { AuthorizationSettings, NodeSettings } from './node-settings.ts';
import { openPolicyFile, type PolicyFileParts } from './policy-file.ts';

export interface CallPoliciesParts extends PolicyFileParts {
  readonly settings: ObservableValue<NodeSettings>;
}

/** Policies that were read and do not hold yet. */
export interface PreparedPolicies {
  /** They hold from now on. */
  take(): void;
  /** They never will. */
  discard(): Promise<void>;
}

/** A policy that is tried out, and what came of it so far. */
export interface ShadowTrial {
  readonly policy: Policy;
  readonly report: ShadowReport;
}

type Sources = { readonly [Name in PolicyFileName]: WatchedFile<Policy> | undefined };

/**
 * What calls are decided by: the policy file of the configuration, the mode, and the built-in table; and beside it, for
 * the report alone, the shadow policy.
 */
export class CallPolicies {
  readonly #parts: CallPoliciesParts;
  readonly #methods: ReadonlySet<string>;
  readonly #authorize: MutableValue<AuthorizeCall>;
  readonly #unsubscribe: () => void;
  #sources: Sources = { policy: undefined, shadow_policy: undefined };
  #unfollow: readonly (() => void)[] = [];
  #standard: CallStandard;
  #trial: (ShadowTrial & { readonly strict: boolean; readonly authorize: Authorizer }) | undefined;

  /** @throws config_invalid where a file is no good. */
  static async open(parts: CallPoliciesParts): Promise<CallPolicies> {
    const policies = new CallPolicies(parts);
    try {
      const prepared = await policies.prepare(parts.settings.value.authorization);
      prepared.take();
    } catch (error) {
      await policies.close();
      throw error;
    }
    return policies;
  }

  private constructor(parts: CallPoliciesParts) {
    this.#parts = parts;
    this.#methods = new Set(parts.methods);
    this.#standard = { policy: undefined, strict: parts.settings.value.mode === 'strict' };
    this.#authorize = new MutableValue<AuthorizeCall>(createAuthorizer(this.#standard, this.#methods));
    this.#unsubscribe = parts.settings.subscribe(() => this.#follow());
  }

  /** Another function when it decides by other rules. */
  get authorize(): ObservableValue<AuthorizeCall> {
    return this.#authorize;
  }

  /** The policy that holds; undefined: the built-in table alone. */
  get enforced(): Policy | undefined {
    return this.#sources.policy?.content.value;
  }

  get shadow(): ShadowTrial | undefined {
    return this.#trial;
  }

  /** Has the shadow policy decide on a call that was decided. */
  readonly decided: CallDecided = (caller, methodPath, decision, metadata) => {
    const trial = this.#trial;
    if (trial === undefined || metadata === undefined) return;
    const shadow = trial.authorize(caller, methodPath, metadata);
    const differs = divergenceOf(decision, shadow);
    if (differs === undefined) return trial.report.count(undefined, Date.now());
    // What a peer made up is no label, and nothing to keep.
    const isKnown = this.#methods.has(methodPath) || isMessagePath(methodPath);
    const method = isKnown ? methodPath : '/unknown/unknown';
    const service = method.slice(1, method.lastIndexOf('/'));
    this.#parts.metrics.shadowDivergences.inc({ service, decision: differs });
    const principal = printable(principalOf(caller));
    trial.report.count({ principal, method, decision: differs, rule: shadow.rule }, Date.now());
  };

  /** Reads the files of other settings. @throws config_invalid, with nothing changed. */
  async prepare(next: AuthorizationSettings): Promise<PreparedPolicies> {
    const before = this.#sources;
    const opened: WatchedFile<Policy>[] = [];
    const open = async (file: string | undefined, name: PolicyFileName): Promise<WatchedFile<Policy> | undefined> => {
      if (file === undefined || file === before[name]?.file) return file === undefined ? undefined : before[name];
      const source = await openPolicyFile(file, name, this.#parts);
      opened.push(source);
      return source;
    };
    const discard = async (): Promise<void> => {
      await Promise.all(opened.map(source => source.close()));
    };
    const [policy, shadow] = await Promise.allSettled([
      open(next.policyFile, 'policy'),
      open(next.shadowPolicyFile, 'shadow_policy'),
    ]);
    if (policy.status === 'fulfilled' && shadow.status === 'fulfilled')
      return { take: () => this.#take({ policy: policy.value, shadow_policy: shadow.value }), discard };
    await discard();
    throw together([policy, shadow].flatMap(result => (result.status === 'rejected' ? [result.reason] : [])));
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    for (const stop of this.#unfollow) stop();
    await Promise.all([this.#sources.policy?.close(), this.#sources.shadow_policy?.close()]);
  }

  #take(next: Sources): void {
    const before = this.#sources;
    this.#sources = next;
    for (const stop of this.#unfollow) stop();
    this.#unfollow = [next.policy, next.shadow_policy].flatMap(
      source => source?.content.subscribe(() => this.#follow()) ?? [],
    );
    for (const name of ['policy', 'shadow_policy'] as const) {
      if (before[name] === next[name]) continue;
      void before[name]?.close();
      this.#parts.problems.set(name, undefined);
    }
    this.#follow();
  }

  #follow(): void {
    const { settings } = this.#parts;
    const strict = settings.value.mode === 'strict';
    const policy = this.enforced;
    if (policy !== this.#standard.policy || strict !== this.#standard.strict) {
      this.#standard = { policy, strict };
      this.#authorize.set(createAuthorizer(this.#standard, this.#methods));
    }
    const shadow = this.#sources.shadow_policy?.content.value;
    if (shadow === undefined) this.#trial = undefined;
    else if (shadow !== this.#trial?.policy || strict !== this.#trial.strict) {
      const report = shadow === this.#trial?.policy ? this.#trial.report : new ShadowReport(Date.now());
      const authorize = createAuthorizer({ policy: shadow, strict }, this.#methods);
      this.#trial = { policy: shadow, strict, authorize, report };
    }
  }
}

/** The mistakes of both files as one error. */
function together(errors: readonly unknown[]): unknown {
  const invalid = errors.filter(error => isSelvedgeError(error, 'config_invalid'));
  if (invalid.length < errors.length) return errors.find(error => !isSelvedgeError(error, 'config_invalid'));
  return new SelvedgeError('config_invalid', invalid.map(messageOf).join('\n'), {
    problems: invalid.flatMap(({ facts }) => facts.problems),
  });
}
