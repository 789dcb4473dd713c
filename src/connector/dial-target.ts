import { SelvedgeError } from '../errors/selvedge-error.ts';
import { type Address, formatAddress, type Scheme, type TcpAddress, withScheme } from '../identity/address.ts';
import type { PlaintextReason } from '../rpc/security.ts';

/** One thing to dial. `https` means mutual TLS, `http` plaintext with the reason for it. */
export type DialTarget =
  | { readonly scheme: 'https'; readonly address: TcpAddress }
  | { readonly scheme: 'http'; readonly address: TcpAddress; readonly reason: PlaintextReason }
  | { readonly scheme: 'http'; readonly address: Extract<Address, { kind: 'unix' }>; readonly reason: 'unix_socket' };

export type DialMode = 'plain' | 'optional' | 'strict';

/**
 * What a node in `mode` dials of the addresses it knows of a member, the best first. The dialler's mode alone decides:
 * plain dials only http, strict only https, optional https where there is one and http elsewhere. An address without a
 * scheme is https for strict and http for the others, until more is learned.
 * @throws refused (`no_usable_address`) when nothing is left.
 */
export function chooseTargets(mode: DialMode, addresses: readonly Address[]): readonly DialTarget[] {
  const known = addresses.map(address => withDefaultScheme(mode, address));
  const secure = mode === 'plain' ? [] : known.flatMap(address => targetsOf('https', address, mode));
  const plain = mode === 'strict' ? [] : known.flatMap(address => targetsOf('http', address, mode));
  // One scheme or the other, never both: an attempt must not fall back from TLS to plaintext.
  const targets = secure.length > 0 ? secure : plain;
  if (targets.length === 0) throw noUsableAddress(mode, addresses);
  return targets;
}

/** `https://host:port` or the like: equal for targets that are dialled alike. */
export function targetKey(target: DialTarget): string {
  return formatAddress(target.address);
}

function withDefaultScheme(mode: DialMode, address: Address): Address {
  if (address.kind === 'unix' || address.scheme !== undefined) return address;
  return withScheme(address, mode === 'strict' ? 'https' : 'http');
}

function targetsOf(scheme: Scheme, address: Address, mode: DialMode): DialTarget[] {
  if (address.kind === 'unix') return scheme === 'http' ? [{ scheme, address, reason: 'unix_socket' }] : [];
  if (address.scheme !== scheme) return [];
  if (scheme === 'https') return [{ scheme, address }];
  return [{ scheme, address, reason: mode === 'plain' ? 'mode_plain' : 'peer_without_tls' }];
}

function noUsableAddress(mode: DialMode, addresses: readonly Address[]): SelvedgeError<'refused'> {
  const known = addresses.length === 0 ? 'no address is known' : `known are ${addresses.map(formatAddress).join(', ')}`;
  const wanted = mode === 'strict' ? 'https' : 'http';
  const detail = `mode ${mode} dials ${wanted} addresses and ${known}`;
  return new SelvedgeError('refused', `no_usable_address: ${detail}`, {
    reason: 'no_usable_address',
    by: 'us',
    detail,
  });
}
