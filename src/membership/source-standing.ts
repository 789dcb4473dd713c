import { type Clock, MONOTONIC_CLOCK } from '../lifecycle/clock.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import { Repeats } from '../lifecycle/repeats.ts';
import type { Logger } from '../telemetry/logger.ts';
import { CURRENT, type MembershipSourceKind, type SourceStanding } from './membership-source.ts';

/** So many are logged one by one in ten seconds. */
const MAX_LINES = 10;
const PAUSE_MS = 10_000;

/**
 * The standing of one source. Each outage is logged once, as `membership.frozen` and `membership.recovered`; another problem
 * within it shows in the standing and is logged as frozen again.
 *
 * T1. A source that comes and goes very often is logged ten times in ten seconds at most, with how many were left out
 *     (`suppressed`); what it is in the end is logged after ten seconds at the latest.
 */
export class StandingOfSource {
  readonly #kind: MembershipSourceKind;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #value = new MutableValue<SourceStanding>(CURRENT);
  readonly #repeats = new Repeats(MAX_LINES);
  #told: SourceStanding = CURRENT;
  #suppressed = 0;
  #callOffTelling: (() => void) | undefined;

  /** @param clock default that of the process. */
  constructor(kind: MembershipSourceKind, logger: Logger, clock: Clock = MONOTONIC_CLOCK) {
    this.#kind = kind;
    this.#logger = logger;
    this.#clock = clock;
  }

  get value(): ObservableValue<SourceStanding> {
    return this.#value;
  }

  /** @param problem in one line, printable. */
  freeze(problem: string): void {
    const now = this.#value.value;
    if (now.state === 'frozen' && now.problem === problem) return;
    this.#value.set({ state: 'frozen', sinceMs: now.state === 'frozen' ? now.sinceMs : Date.now(), problem });
    this.#tell();
  }

  recover(): void {
    if (this.#value.value.state === 'current') return;
    this.#value.set(CURRENT);
    this.#tell();
  }

  /** Nothing is logged any more. */
  close(): void {
    this.#callOffTelling?.();
  }

  #tell(): void {
    const isDue = this.#callOffTelling === undefined && this.#repeats.next('', this.#clock.now()) !== undefined;
    if (isDue) return this.#say();
    this.#suppressed += 1;
    this.#callOffTelling ??= this.#clock.at(this.#clock.now() + PAUSE_MS, () => {
      this.#callOffTelling = undefined;
      if (isSame(this.#told, this.#value.value)) return;
      // The last one is this line.
      this.#suppressed -= 1;
      this.#tell();
    });
  }

  #say(): void {
    const now = this.#value.value;
    const suppressed = this.#suppressed === 0 ? {} : { suppressed: this.#suppressed };
    this.#told = now;
    this.#suppressed = 0;
    if (now.state === 'current') this.#logger.info('membership.recovered', { source: this.#kind, ...suppressed });
    else this.#logger.warn('membership.frozen', { source: this.#kind, problem: now.problem, ...suppressed });
  }
}

function isSame(a: SourceStanding, b: SourceStanding): boolean {
  return a.state === 'frozen' && b.state === 'frozen' ? a.problem === b.problem : a.state === b.state;
}
