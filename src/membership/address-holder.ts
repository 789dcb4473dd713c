import { type TcpAddress, withScheme } from '../identity/address.ts';
import type { FoundAddress } from './dns-answer.ts';
import type { Member } from './member.ts';

/** The node that answers at an address, as it says, and as far as its certificate proves it. */
export interface AddressHolder {
  readonly name: string;
  readonly generation: number;
  /** Whether a certificate proves the name. */
  readonly isProven: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly zone?: string;
}

/**
 * Asks once who answers at an address. What it resolves with was checked: the node is one of this cluster, and where TLS is
 * spoken its certificate proves the name. Rejects with `refused` for who must not be believed, with another error where
 * nobody answered.
 * @param known who answered there when it was asked last; undefined where nobody did.
 */
export type Identify = (
  address: TcpAddress,
  signal: AbortSignal,
  known: AddressHolder | undefined,
) => Promise<AddressHolder>;

/** This process, among those that answer. */
export interface OwnHolder {
  readonly name: string;
  readonly generation: number;
}

/**
 * The members behind addresses, sorted by name; addresses of which the holder is not known are left out. A name is where it
 * is proven, if it is anywhere, and there where the newest process of that name answers. Our own name is this process alone.
 */
export function membersAt(
  addresses: readonly FoundAddress[],
  holderOf: (address: FoundAddress) => AddressHolder | undefined,
  self: OwnHolder,
): readonly Member[] {
  const byName = new Map<string, Held[]>();
  for (const found of addresses) {
    const holder = holderOf(found);
    if (holder === undefined || isTwin(holder, self)) continue;
    byName.set(holder.name, [...(byName.get(holder.name) ?? []), { found, holder }]);
  }
  return [...byName.values()].map(memberOf).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Whether it is another process with our own name. */
export function isTwin({ name, generation }: AddressHolder, self: OwnHolder): boolean {
  return name === self.name && generation !== self.generation;
}

interface Held {
  readonly found: FoundAddress;
  readonly holder: AddressHolder;
}

function memberOf(all: readonly Held[]): Member {
  const isProven = all.some(({ holder }) => holder.isProven);
  const believed = all.filter(({ holder }) => holder.isProven === isProven);
  const generation = Math.max(...believed.map(({ holder }) => holder.generation));
  const newest = believed.filter(({ holder }) => holder.generation === generation);
  // Sorted by what DNS prefers.
  const [{ found, holder }] = newest as [Held];
  const { name, labels, zone } = holder;
  // Its own weight may change at any time, and is heard from it as soon as there is a stream.
  const { weight } = found;
  return {
    name,
    // What proved its name speaks TLS there.
    addresses: newest.map(each => (isProven ? withScheme(each.found.address, 'https') : each.found.address)),
    labels: {},
    said: { labels, ...(zone === undefined ? {} : { zone }) },
    ...(weight === undefined ? {} : { weight }),
  };
}
