import type { Address } from '../identity/address.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { Security } from '../rpc/security.ts';
import type { Introduction, NodeMode } from './introduction.ts';
import type { Liveness } from './peer-liveness.ts';

/**
 * `connected`: a stream is open. `draining`: it is, and the peer takes nothing new. `connecting`: none is, and no dial has
 * failed since. `refused`: one side turned the other away. `unreachable`: nobody answered. `idle`: none is, and this node
 * needs none: it does not watch the member and has no traffic with it.
 */
export type PeerState = 'connected' | 'connecting' | 'refused' | 'unreachable' | 'draining' | 'idle';

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
  /** Those of the membership source, overlaid by what the peer says of itself while it is connected, and after that for as long as it was only idle. */
  readonly labels: Readonly<Record<string, string>>;
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
  readonly member: Pick<PeerEntry, 'labels' | 'addresses'> | undefined;
  readonly stream: Pick<PeerEntry, 'security' | 'direction' | 'identity'> | undefined;
  /** What the peer last said of itself. */
  readonly known: Introduction | undefined;
  /** Those that it said of itself, where they still count. */
  readonly labels: Introduction['labels'] | undefined;
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
    a.labels === b.labels
  );
}

function peerEntry(name: string, { standing, liveness, member, stream, known, labels }: PeerLineParts): PeerEntry {
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
    labels: { ...member?.labels, ...labels },
    addresses: member?.addresses ?? [],
  };
}
