import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { Logger } from '../telemetry/logger.ts';
import { CURRENT, type MembershipSourceKind, type SourceStanding } from './membership-source.ts';

/**
 * The standing of one source. Each outage is logged once, as `membership.frozen` and `membership.recovered`; another problem
 * within it shows in the standing and is logged as frozen again.
 */
export class StandingOfSource {
  readonly #kind: MembershipSourceKind;
  readonly #logger: Logger;
  readonly #value = new MutableValue<SourceStanding>(CURRENT);

  constructor(kind: MembershipSourceKind, logger: Logger) {
    this.#kind = kind;
    this.#logger = logger;
  }

  get value(): ObservableValue<SourceStanding> {
    return this.#value;
  }

  /** @param problem in one line, printable. */
  freeze(problem: string): void {
    const now = this.#value.value;
    if (now.state === 'frozen' && now.problem === problem) return;
    this.#value.set({ state: 'frozen', sinceMs: now.state === 'frozen' ? now.sinceMs : Date.now(), problem });
    this.#logger.warn('membership.frozen', { source: this.#kind, problem });
  }

  recover(): void {
    if (this.#value.value.state === 'current') return;
    this.#value.set(CURRENT);
    this.#logger.info('membership.recovered', { source: this.#kind });
  }
}
