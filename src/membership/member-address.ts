import { type Address, isWildcardHost, parseAddress } from '../identity/address.ts';

/** An address at which a member can be dialled. @throws address_invalid, or TypeError where it is one that only binds. */
export function parseMemberAddress(text: string): Address {
  const address = parseAddress(text);
  if (isWildcardHost(address) || (address.kind === 'tcp' && address.port === 0))
    throw new TypeError(`${text} cannot be dialled: name the host and the port of the member`);
  return address;
}
