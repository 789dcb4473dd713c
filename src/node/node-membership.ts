import { isDeepStrictEqual } from 'node:util';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { derived, type ObservableValue } from '../lifecycle/observable-value.ts';
import { joinedViews } from '../membership/joined-views.ts';
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

interface OpenSource {
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
 * N2. While the node runs, other sources are taken only where they list everybody who is a member now: who is to go is
 *     removed by name, never by exchanging sources.
 */
export class NodeMembership {
  readonly membership: Membership;
  /** What the sources say of this node. */
  readonly own: ObservableValue<OwnStanding>;
  readonly #parts: NodeMembershipParts;
  #open: readonly OpenSource[] = [];
  #own: ObservableValue<OwnWord> | undefined;

  constructor(parts: NodeMembershipParts) {
    this.#parts = parts;
    this.membership = new Membership(parts.logger, parts.metrics);
    this.own = derived(this.membership.view, view => ownStandingIn(view, parts.nodeName));
    this.membership.standings.subscribe(() => this.#tellProblems());
    this.own.subscribe(standing => this.#tellOwn(standing));
  }

  /** @throws config_invalid, membership_unavailable, member_removed, node_name_held; with nothing open that was not before. */
  async prepare(membership: MembershipSettings | undefined): Promise<PreparedSources> {
    const isRunning = this.#open.length > 0;
    const opened: OpenSource[] = [];
    try {
      const all: OpenSource[] = [];
      for (const settings of membership?.sources ?? []) {
        const known = this.#open.find(each => isDeepStrictEqual(each.settings, settings));
        const open = known ?? { settings, source: await this.#parts.open(settings) };
        if (known === undefined) opened.push(open);
        all.push(open);
      }
      const own = this.#own;
      if (own !== undefined) await Promise.all(opened.map(({ source }) => source.announce?.(own)));
      if (isRunning && opened.length + this.#open.length > all.length) this.#checkNobodyLost(all);
      if (!isRunning) checkNotRemoved(all, this.#parts.nodeName);
      return { all, opened };
    } catch (error) {
      await closeAll(opened);
      throw error;
    }
  }

  /** The node listens: what it says of itself, from now on. @throws member_removed, node_name_held */
  async announce(own: ObservableValue<OwnWord>): Promise<void> {
    this.#own = own;
    await Promise.all(this.#open.map(({ source }) => source.announce?.(own)));
  }

  async commit({ all }: PreparedSources): Promise<void> {
    this.#open = all;
    await this.membership.adopt(all.map(({ source }) => source));
  }

  discard({ opened }: PreparedSources): Promise<void> {
    return closeAll(opened);
  }

  close(): Promise<void> {
    return this.membership.close();
  }

  #checkNobodyLost(next: readonly OpenSource[]): void {
    const view = joinedViews(next.map(({ source }) => source.view.value));
    const listed = new Set([...view.members.map(({ name }) => name), ...view.removed]);
    const lost = this.membership.view.value.members.map(({ name }) => name).filter(name => !listed.has(name));
    if (lost.length === 0) return;
    const kinds = next.map(({ source }) => source.kind).join(', ');
    const problem = `${lost.sort().join(', ')} would be no member any more: ${kinds === '' ? 'no source' : kinds} does not list it.`;
    const remedy = 'Name the old source beside the new one until all are listed, or remove who is to go by name.';
    throw new SelvedgeError('config_invalid', `membership.source: ${problem} ${remedy}`, {
      problems: [{ key: 'membership.source', place: kinds, problem, remedy }],
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

function checkNotRemoved(sources: readonly OpenSource[], nodeName: string): void {
  const by = sources.find(({ source }) => source.view.value.removed.includes(nodeName));
  if (by === undefined) return;
  throw new SelvedgeError(
    'member_removed',
    `${nodeName} was removed from the cluster, as ${by.source.kind} says; add it again before it starts`,
    { node: nodeName },
  );
}

async function closeAll(sources: readonly OpenSource[]): Promise<void> {
  await Promise.all(sources.map(({ source }) => source.close()));
}
