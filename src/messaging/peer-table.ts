import type { Address } from '../identity/address.ts';
import { DEFAULT_WEIGHT } from '../identity/node-labels.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { Security } from '../rpc/security.ts';
import type { Introduction, NodeMode } from './introduction.ts';
import type { Liveness } from './peer-liveness.ts';
import type { KnownMember } from './peer-parts.ts';

/**
 * `connected`: a stream is open. `draining`: it is, and the peer takes nothing new. `connecting`: none is, and no dial has
 * failed since. `refused`: one side turned the other away. `unreachable`: nobody answered. `idle`: none is, and this node
 * needs none: it does not watch the member and has no traffic with it.
 */
export type PeerState = 'connected' | 'connecting' | 'refused' | 'unreachable' | 'draining' | 'idle';

/**
 * What the membership source says of a peer. `active`: it is a member. `draining`: it is, and gets nothing new, by the word of
 * an operator. `unlisted`: the source does not say that it is one.
 */
export type MembershipState = 'active' | 'draining' | 'unlisted';

/** Whether calls may go to a peer in this state: its stream is open, or is dialled as soon as it is needed. */
export function isFine(state: PeerState): boolean {
  return state === 'connected' || state === 'idle';
}

/** One line of the peer table: a member, or a stranger that is let in, and why it is not connected. */
export interface PeerEntry {
  readonly name: string;
  readonly state: PeerState;
  /** Whether it lives, which is another question than whether a stream is open. */
  readonly liveness: Liveness;
  /** Of the stream; undefined while there is none. */
  readonly security: Security | undefined;
  readonly direction: 'inbound' | 'outbound' | undefined;
  /** Why it is not connected: a refusal or close reason code where there is one; undefined where no stream is needed. */
  readonly reason: string | undefined;
  /** The reason in words, printable. */
  readonly detail: string | undefined;
  /** As the peer last said, also after its stream ended; undefined before the first stream. */
  readonly generation: number | undefined;
  readonly mode: NodeMode | undefined;
  readonly version: string | undefined;
  /** Those that the peer says of itself while it is connected, and after that for as long as it was only idle; over them, name by name, those of the membership source. */
  readonly labels: Readonly<Record<string, string>>;
  readonly membership: MembershipState;
  /** What fails together with it: by the membership source, or else as the peer says of itself while its labels count; undefined where neither says. */
  readonly zone: string | undefined;
  /** Its share of the calls among those that are picked from: by the membership source, or else as `zone`; 1 where neither says. */
  readonly weight: number;
  /** When state or reason last changed. */
  readonly since: Date;
  /** Who the peer's verified certificate says it is; undefined without one and while not connected. */
  readonly identity: PeerIdentity | undefined;
  /** What is dialled; empty for a stranger. */
  readonly addresses: readonly Address[];
}

/** What a line of the table is made of. */
export interface PeerLineParts {
  readonly standing: Pick<PeerEntry, 'state' | 'reason' | 'detail' | 'since'>;
  readonly liveness: Liveness;
  readonly member: Omit<KnownMember, 'name'> | undefined;
  readonly stream: Pick<PeerEntry, 'security' | 'direction' | 'identity'> | undefined;
  /** What the peer last said of itself. */
  readonly known: Introduction | undefined;
  /** The same, where what it said of its labels, zone and weight still counts. */
  readonly said: Pick<Introduction, 'labels' | 'zone' | 'weight'> | undefined;
}

/** One line of the table. It is made anew only from other parts: in a large cluster the table is asked for very often. */
export class PeerLine {
  readonly #name: string;
  #parts: PeerLineParts | undefined;
  #entry: PeerEntry | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  of(parts: PeerLineParts): PeerEntry {
    if (this.#entry !== undefined && this.#parts !== undefined && sameParts(this.#parts, parts)) return this.#entry;
    const entry = peerEntry(this.#name, parts);
    this.#parts = parts;
    this.#entry = entry;
    return entry;
  }
}

function sameParts(a: PeerLineParts, b: PeerLineParts): boolean {
  return (
    a.standing === b.standing &&
    a.liveness === b.liveness &&
    a.member === b.member &&
    a.stream === b.stream &&
    a.known === b.known &&
    a.said === b.said
  );
}

function peerEntry(name: string, parts: PeerLineParts): PeerEntry {
  const { standing, liveness, member, stream, known } = parts;
  const said: Partial<NonNullable<PeerLineParts['said']>> | undefined = parts.said ?? member?.said;
  return {
    name,
    ...standing,
    liveness,
    security: stream?.security,
    direction: stream?.direction,
    identity: stream?.identity,
    generation: known?.generation,
    mode: known?.mode,
    version: known?.version,
    labels: { ...said?.labels, ...member?.labels },
    membership: member === undefined ? 'unlisted' : member.isDraining ? 'draining' : 'active',
    zone: member?.zone ?? said?.zone,
    weight: member?.weight ?? said?.weight ?? DEFAULT_WEIGHT,
    addresses: member?.addresses ?? [],
  };
}
