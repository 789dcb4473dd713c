import { certificateFields } from '../telemetry/certificate-fields.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type CredentialProblem, describeProblems } from './credential-problem.ts';
import type { ReloadTrigger } from './reload-result.ts';
import type { TrustSnapshot } from './trust-snapshot.ts';

/** Says in the log how reloads went, a problem that stays only once. */
export class ReloadLog {
  readonly #logger: Logger;
  #lastFailure: string | undefined;
  #warned: readonly string[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** `tls.loaded` at the start and `tls.reloaded` later, and what there is to warn of. */
  loaded(trigger: ReloadTrigger, { generation, own, anchors, warnings }: TrustSnapshot): void {
    this.#lastFailure = undefined;
    this.#logger.info(trigger === 'start' ? 'tls.loaded' : 'tls.reloaded', {
      trigger,
      generation,
      place: own.place,
      ...certificateFields(own.identity),
      expires: own.identity.notAfter.toISOString(),
      anchors: anchors.length,
    });
    this.#warn(generation, warnings);
  }

  /** `tls.reload_failed`: once for each distinct set of problems, by their gist, and when somebody asked for the reload. */
  failed(trigger: ReloadTrigger, problems: readonly CredentialProblem[], generation: number): void {
    const failure = describeProblems(problems.map(({ file, problem, gist = problem }) => ({ file, problem: gist })));
    const isAsked = trigger === 'signal' || trigger === 'admin';
    if (failure === this.#lastFailure && !isAsked) return;
    this.#lastFailure = failure;
    const told = problems.map(({ gist: _gist, ...problem }) => problem);
    this.#logger.error('tls.reload_failed', { trigger, problems: told, generation }, describeProblems(problems));
  }

  /** `tls.trust_reloaded`: new anchors and CRLs beside the certificate that was in use, and what there is to warn of. */
  trustLoaded(trigger: ReloadTrigger, { generation, own, anchors, warnings }: TrustSnapshot): void {
    const { subject, fingerprint256: fingerprint } = own.identity;
    this.#logger.info('tls.trust_reloaded', { trigger, generation, subject, fingerprint, anchors: anchors.length });
    this.#warn(generation, warnings);
  }

  /** `tls.reload_recovered` where the time before failed, and what there is to warn of by now. */
  unchanged(trigger: ReloadTrigger, generation: number, warnings: readonly string[]): void {
    this.#warn(generation, warnings);
    if (this.#lastFailure === undefined) return;
    this.#lastFailure = undefined;
    this.#logger.info('tls.reload_recovered', { trigger, generation });
  }

  /** `tls.credentials_warning` for what is new, and `tls.credentials_warning_cleared` for what is gone. */
  #warn(generation: number, warnings: readonly string[]): void {
    const before = this.#warned;
    this.#warned = warnings;
    for (const warning of warnings)
      if (!before.includes(warning)) this.#logger.warn('tls.credentials_warning', { generation, warning });
    for (const warning of before)
      if (!warnings.includes(warning)) this.#logger.info('tls.credentials_warning_cleared', { generation, warning });
  }
}
