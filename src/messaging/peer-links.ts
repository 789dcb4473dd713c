import { isDeepStrictEqual } from 'node:util';
import type { PeerLink } from './peer-link.ts';
import type { KnownMember, KnownMembers } from './peer-parts.ts';
import type { PeerStream } from './peer-stream.ts';
import type { PeerEntry } from './peer-table.ts';

export interface PeerLinksParts {
  readonly directory: Pick<KnownMembers, 'member' | 'lists' | 'isRemoved'>;
  readonly make: (name: string) => PeerLink;
}

/**
 * The links of a node, by the name of the peer.
 *
 * N1. One link per member, from the moment the directory lists it until it no longer does; a stranger has one while its
 *     stream is open, and only where the membership source lists no names.
 */
export class PeerLinks {
  readonly #parts: PeerLinksParts;
  readonly #links = new Map<string, PeerLink>();
  #isDialling = false;

  constructor(parts: PeerLinksParts) {
    this.#parts = parts;
  }

  get all(): readonly PeerLink[] {
    return [...this.#links.values()];
  }

  /** The streams that are open. */
  get live(): readonly PeerStream[] {
    return this.all.flatMap(link => link.live ?? []);
  }

  /** One line per link, sorted by name. */
  get entries(): readonly PeerEntry[] {
    return this.all.map(({ entry }) => entry).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): PeerLink | undefined {
    return this.#links.get(name);
  }

  /** The link of that name, which is made where there is none. */
  ensure(name: string): PeerLink {
    const known = this.#links.get(name);
    if (known !== undefined) return known;
    const link = this.#parts.make(name);
    this.#links.set(name, link);
    return link;
  }

  /** Members are dialled from now on, those there are and those to come. */
  start(): void {
    this.#isDialling = true;
    for (const link of this.all) link.start();
  }

  /** No member is dialled any more. */
  pause(): void {
    this.#isDialling = false;
    for (const link of this.all) link.pause();
  }

  onMembers(next: readonly KnownMember[], previous: readonly KnownMember[]): void {
    const before = new Map(previous.map(member => [member.name, member.addresses]));
    for (const { name, addresses } of next) {
      const link = this.ensure(name);
      if (!before.has(name)) {
        if (this.#isDialling) link.start();
      } else if (!isDeepStrictEqual(before.get(name), addresses)) link.readdress();
      before.delete(name);
    }
    for (const name of before.keys()) this.#removeMember(name);
    // Also strangers, who were no members before.
    for (const { name } of this.all) if (this.#parts.directory.isRemoved(name)) this.#removeMember(name);
  }

  /** Forgets who is no member and has no stream. */
  forgetStranger(link: PeerLink): void {
    if (link.live !== undefined || this.#parts.directory.member(link.name) !== undefined) return;
    if (this.#links.get(link.name) === link) this.#links.delete(link.name);
  }

  #removeMember(name: string): void {
    const link = this.#links.get(name);
    if (link === undefined) return;
    const { directory } = this.#parts;
    const isRemoved = directory.isRemoved(name);
    if (!directory.lists && !isRemoved) {
      // A stranger stays for as long as its stream does.
      if (link.live === undefined) void link.close('not_a_member');
      return this.forgetStranger(link);
    }
    this.#links.delete(name);
    void link.close(isRemoved ? 'member_removed' : 'not_a_member');
  }
}
