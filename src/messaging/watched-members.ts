import { createHash } from 'node:crypto';
import type { Introduction } from './introduction.ts';

/**
 * Which members a node watches: the `limit` next ones after it in the ring of all names. So every node watches `limit`
 * others and is watched by as many, whatever the size of the cluster, and who joins or leaves changes the set of at most
 * `limit` others, each by one name.
 *
 * The ring is ordered by the hash of the names, not by the names: those who stand beside each other by name often stand
 * in one rack, and a rack whose nodes watch each other alone dies unseen. As Akka orders the nodes of its heartbeat ring
 * (`monitored-by-nr-of-members`), and Orleans those who probe each other. The hash is SHA-256 of the UTF-8 name, so that
 * nodes of all versions agree.
 *
 * @param self name of the node that watches; it need not be among `members`, and never watches itself.
 * @param limit at least 1; where there are no more others than that, all are watched.
 */
export function watchedMembers(self: string, members: Iterable<string>, limit: number): ReadonlySet<string> {
  const others = [...new Set(members)].filter(name => name !== self);
  if (others.length <= limit) return new Set(others);
  const here = placeOf(self);
  const places = others.map(name => placeOf(name)).sort(comparePlaces);
  const after = places.findIndex(place => comparePlaces(place, here) > 0);
  const first = after === -1 ? 0 : after;
  return new Set(Array.from({ length: limit }, (_, step) => places[(first + step) % places.length]?.name ?? ''));
}

/**
 * Whom a node watches now: while it is in `optional`, everybody, for the way to `strict` is open when nobody is left who
 * speaks plaintext; else those of {@link watchedMembers}.
 */
export function watchedBy(
  { nodeName, mode }: Pick<Introduction, 'nodeName' | 'mode'>,
  members: readonly { readonly name: string }[],
  limit: number,
): ReadonlySet<string> {
  const names = members.map(({ name }) => name);
  return mode === 'optional' ? new Set(names) : watchedMembers(nodeName, names, limit);
}

interface Place {
  readonly hash: string;
  readonly name: string;
}

function placeOf(name: string): Place {
  return { hash: createHash('sha256').update(name).digest('hex'), name };
}

function comparePlaces(a: Place, b: Place): number {
  if (a.hash === b.hash) return 0;
  return a.hash < b.hash ? -1 : 1;
}
