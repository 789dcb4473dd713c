import { type Address, sameAddress, type TcpAddress, withScheme } from '../identity/address.ts';

/**
 * The addresses to dial for a member: the hosts are those of the membership source, always; what the member last said
 * of itself may change scheme and port. An advertised address of the same host gives both; where none has that host
 * (a name here, an IP address there, a forwarded port) only the scheme is taken.
 */
export function knownAddresses(configured: readonly Address[], advertised: readonly TcpAddress[]): readonly Address[] {
  if (advertised.length === 0) return configured;
  return distinct(configured.flatMap(entry => learnedOf(entry, advertised)));
}

/** What is left to dial of a member that must not be spoken to in plaintext: `https`, at the same hosts and ports. */
export function tlsAddresses(known: readonly Address[]): readonly Address[] {
  const tcp = known.filter((address): address is TcpAddress => address.kind === 'tcp');
  const secure = tcp.filter(({ scheme }) => scheme === 'https');
  return secure.length > 0 ? secure : distinct(tcp.map(address => withScheme(address, 'https')));
}

function distinct(addresses: readonly Address[]): readonly Address[] {
  const kept: Address[] = [];
  for (const address of addresses) if (!kept.some(other => sameAddress(other, address))) kept.push(address);
  return kept;
}

function learnedOf(configured: Address, advertised: readonly TcpAddress[]): readonly Address[] {
  if (configured.kind === 'unix') return [configured];
  const ofHost = advertised.filter(address => address.host === configured.host);
  if (ofHost.length > 0) return ofHost;
  return advertised.map(address => ({ ...configured, scheme: address.scheme }));
}
