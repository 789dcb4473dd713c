import { isIP } from 'node:net';
import { type Address, formatAddress, isWildcardHost } from '../identity/address.ts';
import type { TlsMode } from './node-options.ts';

export interface AdvertisedAddressesInput {
  readonly mode: TlsMode;
  /** As configured; undefined: the bound address. */
  readonly configured: readonly Address[] | undefined;
  /** Where the listener really listens, with its real port. */
  readonly boundAddress: Address;
  /** Stands in for a wildcard that was bound. */
  readonly hostName: string;
}

/** The schemes of each mode, the best one first. */
const SCHEMES = { plain: ['http'], optional: ['https', 'http'], strict: ['https'] } as const;

/**
 * What peers are told to dial: `https` first, then `http`, then `unix`. An address without a scheme gets those of the
 * mode; one with a scheme that the mode does not listen for is left out. Port 0 becomes the port that was bound. Never
 * a wildcard, no address twice.
 */
export function advertisedAddresses(input: AdvertisedAddressesInput): readonly Address[] {
  const { mode, configured, boundAddress, hostName } = input;
  const candidates = (configured ?? [boundAddress])
    .map(address => withRealPort(withRealHost(address, hostName), boundAddress))
    .flatMap(address => withSchemes(address, mode));

  const byScheme = [
    ...SCHEMES[mode].flatMap(scheme =>
      candidates.filter(address => address.kind === 'tcp' && address.scheme === scheme),
    ),
    ...candidates.filter(address => address.kind === 'unix' && mode !== 'strict'),
  ];
  return [...new Map(byScheme.map(address => [formatAddress(address), address])).values()];
}

function withRealHost(address: Address, hostName: string): Address {
  if (address.kind !== 'tcp' || !isWildcardHost(address)) return address;
  const family = isIP(hostName);
  return { ...address, host: hostName.toLowerCase(), hostKind: family === 0 ? 'name' : family === 4 ? 'ipv4' : 'ipv6' };
}

function withRealPort(address: Address, bound: Address): Address {
  return address.kind === 'tcp' && address.port === 0 && bound.kind === 'tcp'
    ? { ...address, port: bound.port }
    : address;
}

function withSchemes(address: Address, mode: TlsMode): readonly Address[] {
  if (address.kind === 'unix' || address.scheme !== undefined) return [address];
  return SCHEMES[mode].map(scheme => ({ ...address, scheme }));
}
