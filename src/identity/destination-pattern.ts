import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { TcpAddress } from './address.ts';
import { parseDnsGlob } from './dns-glob.ts';
import { DEFAULT_PORT, parsePort, splitAddress } from './host-port.ts';
import type { IpAddress } from './ip-address.ts';
import { compareParts, type NameGlob, type Refuse } from './name-glob.ts';
import { quoted } from './quoted.ts';

/** Which addresses a TLS profile is for. Made by {@link parseDestination} alone. */
export interface DestinationPattern {
  /** As it was written. */
  readonly text: string;
  readonly host: DestinationHost;
  /** Undefined: any. */
  readonly port: number | undefined;
}

type DestinationHost =
  | { readonly kind: 'any' }
  | { readonly kind: 'name'; readonly glob: NameGlob }
  | { readonly kind: 'ip'; readonly address: IpAddress };

/**
 * Reads `[https://]host[:port]`: the host is a name whose labels may hold `*` (and begin with `**.`), an IP address
 * (IPv6 in brackets), or `*` alone for any host; the port is a number, or `*` for any. Port left out: 5122, as in every
 * address. Hosts and ports are read as those of addresses are, so that each way to write an address picks the same
 * profile; a name is never resolved. Throws `pattern_invalid`.
 */
export function parseDestination(text: string): DestinationPattern {
  const refuse: Refuse = problem => {
    throw new SelvedgeError('pattern_invalid', `The destination ${quoted(text)} is not valid: ${problem}.`, {
      pattern: text,
      problem,
    });
  };
  if (text.startsWith('unix:')) refuse('a unix socket has no TLS, so no profile is for it');
  if (/[^/:]\/[0-9]+(?::|$)/.test(text)) refuse('a range of addresses is no destination; list each address');
  const { scheme, host, ip, port } = splitAddress(text, refuse);
  if (scheme === 'http') refuse('plaintext has no TLS, so no profile is for it');
  if (scheme !== undefined && scheme !== 'https') refuse('the scheme is https, or left out');
  return { text, host: parseHost(host, ip, refuse), port: readPort(port, refuse) };
}

/** Whether the pattern is for the address. An address whose scheme is not decided yet is taken for https. */
export function matchesDestination(pattern: DestinationPattern, address: TcpAddress): boolean {
  if (address.scheme === 'http') return false;
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

function parseHost(text: string, ip: IpAddress | undefined, refuse: Refuse): DestinationHost {
  if (text === '*') return { kind: 'any' };
  return ip === undefined ? { kind: 'name', glob: parseDnsGlob(text, refuse) } : { kind: 'ip', address: ip };
}

function readPort(text: string | undefined, refuse: Refuse): number | undefined {
  if (text === undefined) return DEFAULT_PORT;
  if (text === '*') return undefined;
  return parsePort(text, 1) ?? refuse('the port is "*" or a number from 1 to 65535');
}
