import { type Address, sameAddress, type TcpAddress } from '../identity/address.ts';

/**
 * The addresses to dial for a member: the hosts are those of the membership source, always; what the member last said
 * of itself may change scheme and port. An advertised address of the same host gives both; where none has that host
 * (a name here, an IP address there, a forwarded port) only the scheme is taken.
 */
export function knownAddresses(configured: readonly Address[], advertised: readonly TcpAddress[]): readonly Address[] {
  if (advertised.length === 0) return configured;
  const known: Address[] = [];
  for (const address of configured.flatMap(entry => learnedOf(entry, advertised))) {
    if (!known.some(other => sameAddress(other, address))) known.push(address);
  }
  return known;
}

function learnedOf(configured: Address, advertised: readonly TcpAddress[]): readonly Address[] {
  if (configured.kind === 'unix') return [configured];
  const ofHost = advertised.filter(address => address.host === configured.host);
  if (ofHost.length > 0) return ofHost;
  return advertised.map(address => ({ ...configured, scheme: address.scheme }));
}
