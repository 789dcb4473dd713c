import { SelvedgeError } from '../errors/selvedge-error.ts';
import { DEFAULT_PORT, type Scheme, type TcpAddress } from './address.ts';
import { parseDnsGlob } from './dns-glob.ts';
import { asciiLowerCase } from './dns-name.ts';
import { type IpAddress, parseIpAddress } from './ip-address.ts';
import { compareParts, type NameGlob, type Refuse } from './name-glob.ts';
import { quoted } from './quoted.ts';

/** Which addresses a TLS profile is for. Made by {@link parseDestination} alone. */
export interface DestinationPattern {
  /** As it was written. */
  readonly text: string;
  /** Undefined: either. */
  readonly scheme: Scheme | undefined;
  readonly host: DestinationHost;
  /** Undefined: any. */
  readonly port: number | undefined;
}

type DestinationHost =
  | { readonly kind: 'any' }
  | { readonly kind: 'name'; readonly glob: NameGlob }
  | { readonly kind: 'ip'; readonly address: IpAddress };

/**
 * Reads `[scheme://]host[:port]`: the host is a name whose labels may hold `*` (and begin with `**.`), an IP address
 * (IPv6 in brackets), or `*` alone for any host; the port is a number, or `*` for any. Port left out: 5122, as in every
 * address. Throws `pattern_invalid`.
 */
export function parseDestination(text: string): DestinationPattern {
  const refuse: Refuse = problem => {
    throw new SelvedgeError('pattern_invalid', `The destination ${quoted(text)} is not valid: ${problem}.`, {
      pattern: text,
      problem,
    });
  };
  const [, schemeText, rest = ''] = /^(?:([^/]*):\/\/)?(.*)$/s.exec(text) ?? [];
  const scheme = schemeText === undefined ? undefined : asciiLowerCase(schemeText);
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https')
    return refuse('the scheme is https or http; unix sockets have no TLS');
  if (/[/?#@]/.test(rest)) refuse('it is a host and a port; address ranges, users and paths have no place in it');
  const [, bracketed, name, port] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/s.exec(rest) ?? [];
  const hostText = bracketed ?? name;
  if (hostText === undefined) return refuse('an IPv6 address is written in brackets, and the port comes after ":"');
  return { text, scheme, host: parseHost(hostText, bracketed !== undefined, refuse), port: parsePort(port, refuse) };
}

/** Whether the pattern is for the address. An address whose scheme is not decided yet matches either scheme. */
export function matchesDestination(pattern: DestinationPattern, address: TcpAddress): boolean {
  if (pattern.scheme !== undefined && address.scheme !== undefined && pattern.scheme !== address.scheme) return false;
  if (pattern.port !== undefined && pattern.port !== address.port) return false;
  switch (pattern.host.kind) {
    case 'any':
      return true;
    case 'ip':
      return address.hostKind !== 'name' && address.host === pattern.host.address.text;
    case 'name':
      return address.hostKind === 'name' && compareParts(pattern.host.glob, address.host.split('.')) === undefined;
  }
}

function parseHost(text: string, isBracketed: boolean, refuse: Refuse): DestinationHost {
  if (text === '*' && !isBracketed) return { kind: 'any' };
  const address = parseIpAddress(text);
  if (address !== undefined && isBracketed === text.includes(':')) return { kind: 'ip', address };
  if (isBracketed) return refuse('there is no IPv6 address between the brackets');
  return { kind: 'name', glob: parseDnsGlob(text, refuse) };
}

function parsePort(text: string | undefined, refuse: Refuse): number | undefined {
  if (text === undefined) return DEFAULT_PORT;
  if (text === '*') return undefined;
  const port = Number(text);
  if (!/^[1-9][0-9]{0,4}$/.test(text) || port > 65_535) refuse('the port is "*" or a number from 1 to 65535');
  return port;
}
