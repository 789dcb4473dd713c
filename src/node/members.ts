import { messageOf } from '../errors/selvedge-error.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { Liveness } from '../messaging/peer-liveness.ts';
import type { MembershipState, PeerEntry, PeerState } from '../messaging/peer-table.ts';
import type { Logger } from '../telemetry/logger.ts';

/** Another node, as this one sees it. */
export interface MemberStatus {
  readonly name: string;
  readonly liveness: Liveness;
  /** How the peer stream to it stands; a member may be alive while a new stream is opened. */
  readonly stream: PeerState;
  /** Those that the member says of itself while it is connected; over them, name by name, those of the membership source. */
  readonly labels: Readonly<Record<string, string>>;
  /** What the membership source says of it; `draining`: a client for labels picks it only where nobody else is ready. */
  readonly membership: MembershipState;
  /** What fails together with it, such as an availability zone: by the membership source, or else as it says of itself. */
  readonly zone: string | undefined;
  /** Its share of the calls of clients for labels, 0 to 65,535: by the membership source, or else as it says of itself; 1 where neither says. */
  readonly weight: number;
  /** Of the product, as the member last said; undefined before it was heard. */
  readonly version: string | undefined;
}

/** What happened to one member. Its state, its generation, or both are others now; a reason alone is no change. */
export interface MemberChange {
  readonly node: string;
  /** Undefined where the node is new in the table. */
  readonly from: Liveness | undefined;
  /** Undefined where the node is no member any more, or was none and left. */
  readonly to: Liveness | undefined;
}

/** The other nodes, and whether they live, as this node concludes from their peer streams. After the node closed nothing changes. */
export interface Members {
  /**
   * As of now, sorted by name: every member that the source lists, and who is connected without being listed where
   * there is no source. Not this node itself.
   */
  readonly all: readonly MemberStatus[];
  /** One of them. */
  get(node: string): MemberStatus | undefined;
  /**
   * Calls `listener` after each change, once and in order, when `all` shows it or what came after it; not for the members
   * there are. A restart is a change also where the member was never away: `from` and `to` are both alive, of different
   * `generation`, and the reason is `restarted`. What a listener throws is logged, `members.listener_failed`.
   * @returns the function that stops it, at once.
   */
  subscribe(listener: (change: MemberChange) => void): () => void;
}

type Listener = (change: MemberChange) => void;

/**
 * The {@link Members} of a node, as a view of its table of peers.
 *
 * M1. Changes wait in line: one that is brought about by a listener is told after those that came before it.
 */
export function membersOf(peers: ObservableValue<readonly PeerEntry[]>, logger: Logger): Members {
  const subscriptions = new Set<{ readonly listener: Listener }>();
  const waiting: MemberChange[] = [];
  let seen = peers.value;
  let isTelling = false;
  const tell = (listener: Listener, change: MemberChange) => {
    try {
      listener(change);
    } catch (error) {
      logger.error('members.listener_failed', { node: change.node, problem: messageOf(error) });
    }
  };
  peers.subscribe(next => {
    waiting.push(...changesBetween(seen, next));
    seen = next;
    if (isTelling) return;
    isTelling = true;
    for (let change = waiting.shift(); change !== undefined; change = waiting.shift()) {
      for (const subscription of [...subscriptions])
        if (subscriptions.has(subscription)) tell(subscription.listener, change);
    }
    isTelling = false;
  });
  return {
    get all() {
      return peers.value.map(statusOf);
    },
    get(node) {
      const entry = peers.value.find(({ name }) => name === node);
      return entry === undefined ? undefined : statusOf(entry);
    },
    subscribe(listener) {
      const subscription = { listener };
      subscriptions.add(subscription);
      return () => subscriptions.delete(subscription);
    },
  };
}

function statusOf({ name, liveness, state, labels, membership, zone, weight, version }: PeerEntry): MemberStatus {
  return { name, liveness, stream: state, labels, membership, zone, weight, version };
}

function* changesBetween(previous: readonly PeerEntry[], next: readonly PeerEntry[]): Iterable<MemberChange> {
  const before = new Map(previous.map(({ name, liveness }) => [name, liveness]));
  for (const { name, liveness: to } of next) {
    const from = before.get(name);
    before.delete(name);
    if (from === to || (from?.state === to.state && from.generation === to.generation)) continue;
    yield { node: name, from, to };
  }
  for (const [node, from] of before) yield { node, from, to: undefined };
}
