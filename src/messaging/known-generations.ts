/** Names beyond the members that are remembered; the oldest is forgotten first. */
const MAX_STRANGERS = 1_000;

interface Seen {
  readonly any: number;
  /** The newest that came over mutual TLS; 0 where none did. */
  readonly proven: number;
}

/**
 * The newest generation seen under each name, so that an older process of that name is turned away after its successor
 * was seen. A generation that came over mutual TLS counts against everyone; one that did not counts only against
 * peers that prove nothing either, or a plaintext Hello could lock the real node out.
 */
export class KnownGenerations {
  readonly #seen = new Map<string, Seen>();

  remember(name: string, generation: number, proven: boolean): void {
    const before = this.#seen.get(name) ?? { any: 0, proven: 0 };
    this.#seen.delete(name);
    this.#seen.set(name, {
      any: Math.max(before.any, generation),
      proven: proven ? Math.max(before.proven, generation) : before.proven,
    });
  }

  /** What counts against a peer of this name; undefined where nothing does. */
  newest(name: string, proven: boolean): number | undefined {
    const seen = this.#seen.get(name);
    const newest = proven ? seen?.proven : seen?.any;
    return newest === 0 ? undefined : newest;
  }

  /** Forgets the oldest of those that are no members, where there are too many. */
  trim(isMember: (name: string) => boolean): void {
    const strangers = [...this.#seen.keys()].filter(name => !isMember(name));
    for (const name of strangers.slice(0, Math.max(0, strangers.length - MAX_STRANGERS))) this.#seen.delete(name);
  }
}
