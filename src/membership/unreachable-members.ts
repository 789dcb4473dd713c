import type { ConfigProblem } from '../errors/selvedge-error.ts';
import { formatAddress } from '../identity/address.ts';
import type { Member } from './member.ts';

/**
 * The members that a node in mode strict could never reach, because the source lists plaintext addresses alone: strict
 * does not start with such a list.
 * @param place names the source in the problems.
 */
export function membersOutOfReach(members: readonly Member[], self: string, place: string): readonly ConfigProblem[] {
  return members
    .filter(({ name, addresses }) => name !== self && addresses.every(isPlaintext))
    .map(({ name, addresses }) => ({
      key: `member ${name}`,
      place,
      problem: `Only ${addresses.map(formatAddress).join(', ')} is listed, which the mode strict does not dial.`,
      remedy: 'List an https address, or one without a scheme, or stay in the mode optional until there is one.',
    }));
}

function isPlaintext(address: Member['addresses'][number]): boolean {
  return address.kind === 'unix' || address.scheme === 'http';
}
