import type { PeerIdentity } from '../identity/peer-identity.ts';

/** Names beyond the members that are remembered; the oldest is forgotten first. */
const MAX_STRANGERS = 1_000;

/** A generation is a time in Unix milliseconds, give or take a clock: one further ahead is not worth remembering. */
const MAX_AHEAD_MS = 300_000;

interface Proven {
  readonly generation: number;
  /** The certificate that was shown with it; undefined where it is not known. */
  readonly proof: PeerIdentity | undefined;
}

/**
 * The newest generation that was proven over mutual TLS under each name, so that an older process of that name is
 * turned away after its successor was seen.
 *
 * G1. What nobody proved is not remembered: it counts while its stream is open, or a stranger could lock a node out.
 * G2. Nor is a generation of the future: it counts while its stream is open, and the real node gets in after it.
 * G3. What a certificate proved that is trusted no more, or that does not prove that name by the rules of now, was never
 *     proven: who stole a key locks its owner out no longer than until that is known, and nobody another node.
 */
export class KnownGenerations {
  readonly #newest = new Map<string, Proven>();

  /** @param now Unix milliseconds. */
  remember(name: string, generation: number, proof: PeerIdentity | undefined, now: number): void {
    if (generation > now + MAX_AHEAD_MS) return;
    const known = this.#newest.get(name);
    this.#newest.delete(name);
    // A process that shows another certificate than before no longer rests on that one.
    this.#newest.set(name, known !== undefined && known.generation > generation ? known : { generation, proof });
  }

  /** Undefined where none was proven. */
  newest(name: string): number | undefined {
    return this.#newest.get(name)?.generation;
  }

  /**
   * What counts against another stream of that name: the generation of the open one, and what was proven before. A stream
   * that proves nothing does not count against one that does (`proven`).
   */
  newestAgainst(
    name: string,
    proven: boolean,
    live: { readonly generation: number; readonly security: { readonly kind: string } } | undefined,
  ): number | undefined {
    const held = live !== undefined && (live.security.kind === 'mutual_tls' || !proven) ? live.generation : 0;
    const newest = Math.max(held, this.newest(name) ?? 0);
    return newest === 0 ? undefined : newest;
  }

  /** Forgets what was proven by certificates that do not prove it any more. */
  forget(isWithdrawn: (proof: PeerIdentity, name: string) => boolean): void {
    for (const [name, { proof }] of this.#newest)
      if (proof !== undefined && isWithdrawn(proof, name)) this.#newest.delete(name);
  }

  /** Forgets the oldest of those that are no members, where there are too many. */
  trim(isMember: (name: string) => boolean): void {
    if (this.#newest.size <= MAX_STRANGERS) return;
    const strangers = [...this.#newest.keys()].filter(name => !isMember(name));
    for (const name of strangers.slice(0, Math.max(0, strangers.length - MAX_STRANGERS))) this.#newest.delete(name);
  }
}
