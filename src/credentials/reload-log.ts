import type { Logger } from '../telemetry/logger.ts';
import { type CredentialProblem, describeProblem } from './credential-problem.ts';
import type { ReloadTrigger } from './reload-result.ts';
import type { TrustSnapshot } from './trust-snapshot.ts';

/** Says in the log how reloads went, a problem that stays only once. */
export class ReloadLog {
  readonly #logger: Logger;
  #lastFailure: string | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** `tls.loaded` at the start and `tls.reloaded` later, and `tls.credentials_warning` for each warning. */
  loaded(trigger: ReloadTrigger, { generation, own, anchors, warnings }: TrustSnapshot): void {
    this.#lastFailure = undefined;
    this.#logger.info(trigger === 'start' ? 'tls.loaded' : 'tls.reloaded', {
      trigger,
      generation,
      place: own.place,
      subject: own.identity.subject,
      fingerprint: own.identity.fingerprint256,
      expires: own.identity.notAfter.toISOString(),
      anchors: anchors.length,
    });
    for (const warning of warnings) this.#logger.warn('tls.credentials_warning', { generation, warning });
  }

  /** `tls.reload_failed`: once for each distinct set of problems, and each time somebody asked for the reload. */
  failed(trigger: ReloadTrigger, problems: readonly CredentialProblem[], generation: number): void {
    const failure = problems.map(describeProblem).join('; ');
    const isAsked = trigger === 'signal' || trigger === 'admin';
    if (failure === this.#lastFailure && !isAsked) return;
    this.#lastFailure = failure;
    this.#logger.error('tls.reload_failed', { trigger, problems, generation }, failure);
  }

  /** `tls.reload_recovered` where the time before failed. */
  unchanged(trigger: ReloadTrigger, generation: number): void {
    if (this.#lastFailure === undefined) return;
    this.#lastFailure = undefined;
    this.#logger.info('tls.reload_recovered', { trigger, generation });
  }
}
