import { PacedTurns } from '../lifecycle/paced-turns.ts';
import type { Logger } from '../telemetry/logger.ts';
import { changesOfMembers } from './member-changes.ts';
import type { MembershipView } from './membership-source.ts';

/** Between two lines. */
const PACE_MS = 1_000;

/**
 * Logs what changed among the members, by name (`membership.changed`): the first change at once, and what comes within a
 * second of a line together in the next one. What was taken back by then is no change.
 */
export class ChangeLog {
  readonly #logger: Pick<Logger, 'info'>;
  readonly #turns = new PacedTurns(PACE_MS);
  #told: MembershipView;
  #view: MembershipView;

  /** @param view what is known already. */
  constructor(logger: Pick<Logger, 'info'>, view: MembershipView) {
    this.#logger = logger;
    this.#told = view;
    this.#view = view;
  }

  changed(view: MembershipView): void {
    this.#view = view;
    this.#turns.add('view', () => this.#tell());
  }

  /** What is not told yet is told now. */
  close(): void {
    this.#turns.close();
    this.#tell();
  }

  #tell(): void {
    const changes = Object.entries(changesOfMembers(this.#told, this.#view)).filter(([, names]) => names.length > 0);
    this.#told = this.#view;
    if (changes.length > 0)
      this.#logger.info('membership.changed', { members: this.#view.members.length, ...Object.fromEntries(changes) });
  }
}
