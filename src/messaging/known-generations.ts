/** Names beyond the members that are remembered; the oldest is forgotten first. */
const MAX_STRANGERS = 1_000;

/** A generation is a time in Unix milliseconds, give or take a clock: one further ahead is not worth remembering. */
const MAX_AHEAD_MS = 86_400_000;

/**
 * The newest generation that was proven over mutual TLS under each name, so that an older process of that name is
 * turned away after its successor was seen.
 *
 * G1. What nobody proved is not remembered: it counts while its stream is open, or a stranger could lock a node out.
 * G2. Nor is a generation of the far future: it counts while its stream is open, and the real node gets in after it.
 */
export class KnownGenerations {
  readonly #newest = new Map<string, number>();

  /** @param now Unix milliseconds. */
  remember(name: string, generation: number, now: number): void {
    if (generation > now + MAX_AHEAD_MS) return;
    const newest = Math.max(generation, this.#newest.get(name) ?? 0);
    this.#newest.delete(name);
    this.#newest.set(name, newest);
  }

  /** Undefined where none was proven. */
  newest(name: string): number | undefined {
    return this.#newest.get(name);
  }

  /** Forgets the oldest of those that are no members, where there are too many. */
  trim(isMember: (name: string) => boolean): void {
    if (this.#newest.size <= MAX_STRANGERS) return;
    const strangers = [...this.#newest.keys()].filter(name => !isMember(name));
    for (const name of strangers.slice(0, Math.max(0, strangers.length - MAX_STRANGERS))) this.#newest.delete(name);
  }
}
