import { isDeepStrictEqual } from 'node:util';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { derived, type ObservableValue } from '../lifecycle/observable-value.ts';
import { joinedViews } from '../membership/joined-views.ts';
import { changesOfMembers } from '../membership/member-changes.ts';
import { Membership } from '../membership/membership.ts';
import type { MembershipSource } from '../membership/membership-source.ts';
import type { OwnWord } from '../membership/own-word.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { MembershipSettings, MembershipSourceSettings } from './membership-settings.ts';
import type { NodeProblems } from './node-problems.ts';
import { type OwnStanding, ownStandingIn } from './own-standing.ts';

/** Sources that are open and not taken yet. */
export interface PreparedSources {
  readonly all: readonly OpenSource[];
  readonly opened: readonly OpenSource[];
}

/** A source that is open, and by which settings. */
export interface OpenSource {
  readonly settings: MembershipSourceSettings;
  readonly source: MembershipSource;
}

export interface NodeMembershipParts {
  readonly nodeName: string;
  readonly open: (source: MembershipSourceSettings) => Promise<MembershipSource>;
  readonly problems: NodeProblems;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * The membership sources of a node, as its settings name them.
 *
 * N1. `prepare` opens what is new and takes nothing; then either `commit` or `discard`. A source whose settings stay goes on.
 * N2. While the node runs, other sources are taken only where they list everybody who is a member now, refuse who is refused
 *     and let drain who drains: that is undone by name, never by exchanging sources.
 */
export class NodeMembership {
  readonly membership: Membership;
  /** What the sources say of this node. */
  readonly own: ObservableValue<OwnStanding>;
  readonly #parts: NodeMembershipParts;
  #open: readonly OpenSource[] = [];
  /** Opened by a `prepare`, and neither taken nor let go yet. */
  readonly #pending = new Set<OpenSource>();
  #isClosed = false;
  #own: ObservableValue<OwnWord> | undefined;

  constructor(parts: NodeMembershipParts) {
    this.#parts = parts;
    this.membership = new Membership(parts.logger, parts.metrics);
    this.own = derived(this.membership.view, view => ownStandingIn(view, parts.nodeName));
    this.membership.standings.subscribe(() => this.#tellProblems());
    this.own.subscribe(standing => this.#tellOwn(standing));
  }

  /** Those that are taken, in the order of the settings. */
  get sources(): readonly OpenSource[] {
    return this.#open;
  }

  /**
   * @throws config_invalid, membership_unavailable, member_removed, node_name_held, node_closed; with nothing open that was
   * not before.
   */
  async prepare(membership: MembershipSettings | undefined): Promise<PreparedSources> {
    const opened: OpenSource[] = [];
    try {
      const all: OpenSource[] = [];
      for (const settings of membership?.sources ?? []) {
        const known = this.#open.find(each => isDeepStrictEqual(each.settings, settings));
        const open = known ?? { settings, source: await this.#parts.open(settings) };
        if (known === undefined) {
          opened.push(open);
          this.#pending.add(open);
        }
        this.#checkOpen();
        all.push(open);
      }
      await this.#check(all, opened);
      return { all, opened };
    } catch (error) {
      await this.discard({ opened });
      // What is closed while it is waited for fails in ways of its own.
      this.#checkOpen();
      throw error;
    }
  }

  /** The node listens: what it says of itself, from now on. @throws member_removed, node_name_held */
  async announce(own: ObservableValue<OwnWord>): Promise<void> {
    this.#own = own;
    await Promise.all(this.#open.map(({ source }) => source.announce?.(own)));
  }

  /** What an operator should look at although nothing is broken. */
  get notices(): readonly string[] {
    const { nodeName } = this.#parts;
    if (this.#own === undefined || !this.membership.lists || this.own.value !== 'unlisted') return [];
    const places = this.#open.map(placeOf).join(', ');
    return [`${places} does not list ${nodeName} itself; nodes that read the same refuse it as not_a_member`];
  }

  async commit({ all, opened }: PreparedSources): Promise<void> {
    if (this.#isClosed) return this.discard({ opened });
    for (const source of opened) this.#pending.delete(source);
    this.#open = all;
    await this.membership.adopt(all.map(({ source }) => source));
  }

  async discard({ opened }: Pick<PreparedSources, 'opened'>): Promise<void> {
    for (const source of opened) this.#pending.delete(source);
    await closeAll(opened);
  }

  /** Those that are about to be taken too: a name that is waited for is waited for no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await closeAll([...this.#pending]);
    await this.membership.close();
  }

  async #check(all: readonly OpenSource[], opened: readonly OpenSource[]): Promise<void> {
    if (this.#open.length === 0) checkNotRemoved(all, this.#parts.nodeName);
    else if (opened.length > 0 || all.length < this.#open.length) {
      checkHeard(opened);
      this.#checkNothingLost(all);
    }
    const own = this.#own;
    if (own !== undefined) await Promise.all(opened.map(({ source }) => source.announce?.(own)));
    this.#checkOpen();
  }

  #checkOpen(): void {
    const { nodeName } = this.#parts;
    if (this.#isClosed) throw new SelvedgeError('node_closed', 'the node is draining', { node: nodeName });
  }

  /** @throws config_invalid where a member would be none, or what was decided of a name would be forgotten. */
  #checkNothingLost(next: readonly OpenSource[]): void {
    const kinds = next.map(({ source }) => source.kind).join(', ');
    const view = joinedViews(next.map(({ source }) => source.view.value));
    // This node registers itself where it is to be found.
    const changes = changesOfMembers(this.membership.view.value, view);
    const lost = changes.left.filter(name => name !== this.#parts.nodeName && !view.removed.includes(name));
    const problems = [
      loss(lost, `would be no member any more: ${kinds === '' ? 'no source' : kinds} does not list it`),
      loss(changes.readmitted, 'was removed, and would not be refused any more'),
      loss(changes.resumed, 'drains, and would not any more'),
    ].flatMap(problem => problem ?? []);
    if (problems.length === 0) return;
    const remedy = 'Name the old source beside the new one until the new one says all this, or undo it by name.';
    throw new SelvedgeError('config_invalid', `membership.source: ${problems.join(' ')} ${remedy}`, {
      problems: problems.map(problem => ({ key: 'membership.source', place: kinds, problem, remedy })),
    });
  }

  #tellProblems(): void {
    for (const kind of ['file', 'dns', 'etcd'] as const) {
      const standing = this.membership.standings.value.find(each => each.kind === kind)?.standing;
      const source = kind === 'file' ? 'members' : kind;
      this.#parts.problems.set(source, standing?.state === 'frozen' ? standing.problem : undefined);
    }
  }

  #tellOwn(standing: OwnStanding): void {
    const isRemoved = standing === 'removed' || standing === 'terminating';
    const problem = 'this node was removed from the cluster; the others refuse it until it is added again';
    this.#parts.problems.set('membership', isRemoved ? problem : undefined);
    this.#parts.logger[standing === 'active' ? 'info' : 'warn']('membership.own_standing', { standing });
  }
}

/** What was known before an outage is no ground to let go of a source that is heard. */
function checkHeard(opened: readonly OpenSource[]): void {
  for (const { source } of opened) {
    const { kind, standing } = source;
    if (standing.value.state === 'current') continue;
    const { problem } = standing.value;
    throw new SelvedgeError('membership_unavailable', `${kind} cannot be heard: ${problem}`, { source: kind, problem });
  }
}

function checkNotRemoved(sources: readonly OpenSource[], nodeName: string): void {
  const by = sources.find(({ source }) => source.view.value.removed.includes(nodeName));
  if (by === undefined) return;
  throw new SelvedgeError(
    'member_removed',
    `${nodeName} was removed from the cluster, as ${placeOf(by)} says; add it again before it starts`,
    { node: nodeName },
  );
}

function placeOf({ settings }: OpenSource): string {
  return settings.kind === 'file' ? settings.membersFile : settings.kind;
}

function loss(names: readonly string[], what: string): string | undefined {
  return names.length === 0 ? undefined : `${names.join(', ')} ${what}.`;
}

async function closeAll(sources: readonly OpenSource[]): Promise<void> {
  await Promise.all(sources.map(({ source }) => source.close()));
}
