import { SelvedgeError } from '../errors/selvedge-error.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { ChangeLog } from './change-log.ts';
import { joinedViews, NOBODY } from './joined-views.ts';
import { isSameView } from './member-changes.ts';
import type { MembershipEditor } from './membership-editor.ts';
import type { MembershipSource, MembershipSourceKind, MembershipView, SourceStanding } from './membership-source.ts';

export interface StandingOf {
  readonly kind: MembershipSourceKind;
  readonly standing: SourceStanding;
}

/**
 * Who the members are, by all sources of a node together; sources may be exchanged while it runs.
 *
 * M1. The view changes once for each change of a source, at once, and once when sources are exchanged; what changed is
 *     logged by name, see {@link ChangeLog}.
 * M2. A source that is let go of is closed after the others took its place.
 */
export class Membership {
  readonly #logger: Logger;
  readonly #metrics: Pick<Metrics, 'membershipCurrent' | 'membershipMembers'>;
  #sources: readonly MembershipSource[] = [];
  #stop: readonly (() => void)[] = [];
  #changeLog: ChangeLog | undefined;
  readonly #view = new MutableValue<MembershipView>(NOBODY);
  readonly #standings = new MutableValue<readonly StandingOf[]>([]);

  constructor(logger: Logger, metrics: Pick<Metrics, 'membershipCurrent' | 'membershipMembers'>) {
    this.#logger = logger;
    this.#metrics = metrics;
  }

  get view(): ObservableValue<MembershipView> {
    return this.#view;
  }

  /** One of each source, in their order. */
  get standings(): ObservableValue<readonly StandingOf[]> {
    return this.#standings;
  }

  get sources(): readonly MembershipSource[] {
    return this.#sources;
  }

  /** Whether the sources name every member, so that a stranger's name is refused. */
  get lists(): boolean {
    return this.#sources.length > 0 && this.#sources.every(({ lists }) => lists);
  }

  /** Changes members through the first source. */
  get editor(): MembershipEditor {
    const [first, ...others] = this.#sources;
    if (first === undefined || others.length === 0) return first?.editor ?? NO_SOURCE;
    return {
      change: (change, by) => {
        const { members, removed } = this.#view.value;
        const isKnown = removed.includes(change.name) || members.some(({ name }) => name === change.name);
        return first.editor.change(change, by, isKnown);
      },
    };
  }

  /** Takes these sources in place of those there are; closes those that are not among them. The first time nothing is logged. */
  async adopt(next: readonly MembershipSource[]): Promise<void> {
    const dropped = this.#sources.filter(source => !next.includes(source));
    for (const stop of this.#stop) stop();
    this.#sources = next;
    this.#stop = next.flatMap(({ view, standing }) => [
      view.subscribe(() => this.#takeViews()),
      standing.subscribe(() => this.#takeStandings()),
    ]);
    this.#metrics.membershipCurrent.reset();
    this.#takeViews();
    this.#changeLog ??= new ChangeLog(this.#logger, this.#view.value);
    this.#takeStandings();
    await Promise.all(dropped.map(source => source.close()));
  }

  /** The node ends cleanly: its registrations go with it where that is configured. */
  async leave(): Promise<void> {
    await Promise.all(this.#sources.map(source => source.leave?.()));
  }

  async close(): Promise<void> {
    for (const stop of this.#stop) stop();
    this.#stop = [];
    this.#changeLog?.close();
    await Promise.all(this.#sources.map(source => source.close()));
  }

  #takeViews(): void {
    const next = joinedViews(this.#sources.map(({ view }) => view.value));
    if (isSameView(this.#view.value, next)) return;
    this.#changeLog?.changed(next);
    this.#metrics.membershipMembers.set(next.members.length);
    this.#view.set(next);
  }

  #takeStandings(): void {
    this.#standings.set(this.#sources.map(({ kind, standing }) => ({ kind, standing: standing.value })));
    for (const { kind, standing } of this.#sources)
      this.#metrics.membershipCurrent.set({ source: kind }, standing.value.state === 'current' ? 1 : 0);
  }
}

const NO_SOURCE: MembershipEditor = {
  change: async () => {
    throw new SelvedgeError(
      'membership_not_writable',
      'this node has no membership source: set membership.source in its configuration',
      { source: 'none' },
    );
  },
};
