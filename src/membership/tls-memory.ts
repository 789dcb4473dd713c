import { type Address, formatAddress, type TcpAddress } from '../identity/address.ts';

/** What a member says of itself in a Hello, Welcome or Advertisement. */
export interface MemberWord {
  readonly generation: number;
  readonly mode: 'plain' | 'optional' | 'strict';
  readonly addresses: readonly TcpAddress[];
}

/** A member that spoke mutual TLS. */
export interface RememberedMember {
  /** Its entry in the membership source now; a changed one is compared with it. */
  readonly entry: readonly string[];
  /** Of the process that spoke mutual TLS last. */
  readonly generation: number;
  /** Whether that entry was changed to list `http` since: plaintext is what the operator wants of it. */
  readonly permitted: boolean;
}

/**
 * Which members spoke mutual TLS, by name. Every function returns the same object where nothing changes.
 *
 * D1. What is not said over mutual TLS changes nothing.
 * D2. Who says over mutual TLS that it is in `plain`, or advertises `http` alone, is forgotten: it may go back.
 * D3. A changed entry that lists `http` permits plaintext, as long as it stands, to that process and to those after it
 *     that speak no TLS; another process that does is remembered anew.
 * D4. Who leaves a source that lists every member, or is removed by name, is forgotten; who is only out of sight is not.
 *     A member at a unix socket is never remembered: its address is plaintext.
 */
export type TlsMemory = ReadonlyMap<string, RememberedMember>;

export const NO_MEMORY: TlsMemory = new Map();

/** @param entry of the member in the source. */
export function afterWord(
  memory: TlsMemory,
  name: string,
  entry: readonly Address[],
  word: MemberWord,
  overMutualTls: boolean,
): TlsMemory {
  if (!overMutualTls) return memory;
  const known = memory.get(name);
  if (goesBack(word) || entry.some(({ kind }) => kind === 'unix')) return without(memory, name);
  if (known !== undefined && word.generation === known.generation) return memory;
  return remembering(memory, name, { entry: entry.map(formatAddress), generation: word.generation, permitted: false });
}

/**
 * The source lists other members, or the same ones otherwise.
 * @param entryOf what it lists of a name; undefined where that is not among them.
 * @param isGone whether a name that is not among them is no member any more. Default: each of them.
 */
export function afterEntries(
  memory: TlsMemory,
  entryOf: (name: string) => readonly Address[] | undefined,
  isGone: (name: string) => boolean = () => true,
): TlsMemory {
  let next = memory;
  for (const [name, known] of memory) {
    const addresses = entryOf(name);
    if (addresses === undefined && !isGone(name)) continue;
    if (addresses === undefined || addresses.some(({ kind }) => kind === 'unix')) {
      next = without(next, name);
      continue;
    }
    const entry = addresses.map(formatAddress);
    if (sameTexts(entry, known.entry)) continue;
    const permitted = addresses.some(address => address.kind === 'tcp' && address.scheme === 'http');
    next = remembering(next, name, { ...known, entry, permitted });
  }
  return next;
}

/** Whether a member that comes in plaintext takes a step down that nobody permitted. */
export function wouldDowngrade(memory: TlsMemory, name: string): boolean {
  return memory.get(name)?.permitted === false;
}

function goesBack({ mode, addresses }: MemberWord): boolean {
  return mode === 'plain' || (addresses.length > 0 && addresses.every(({ scheme }) => scheme === 'http'));
}

function without(memory: TlsMemory, name: string): TlsMemory {
  if (!memory.has(name)) return memory;
  return new Map([...memory].filter(([other]) => other !== name));
}

function remembering(memory: TlsMemory, name: string, member: RememberedMember): TlsMemory {
  return new Map([...memory, [name, member]]);
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}
