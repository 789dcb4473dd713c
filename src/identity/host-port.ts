import { asciiLowerCase } from './dns-name.ts';
import { type IpAddress, parseIpAddress } from './ip-address.ts';
import type { Refuse } from './name-glob.ts';

/** The port where an address names none. */
export const DEFAULT_PORT = 5122;

/** `[scheme://]host[:port]` taken apart, as addresses and the destinations of TLS profiles are. */
export interface WrittenAddress {
  /** In lower case; undefined where there is none. */
  readonly scheme: string | undefined;
  /** Without brackets, otherwise as it was written. */
  readonly host: string;
  /** The address that the host is, whatever form it was written in; undefined where it is none. */
  readonly ip: IpAddress | undefined;
  /** As it was written; undefined where there is none. */
  readonly port: string | undefined;
}

/** Takes an address apart. IPv6 stands in brackets, and nothing else does. What follows the port is refused. */
export function splitAddress(text: string, refuse: Refuse): WrittenAddress {
  const [, schemeText, rest = ''] = /^(?:([^/]*):\/\/)?(.*)$/s.exec(text) ?? [];
  const scheme = schemeText === undefined ? undefined : asciiLowerCase(schemeText);
  if (rest.includes('@')) refuse('it has no place for a user or password');
  if (/[/?#]/.test(rest)) refuse('nothing may follow the port: no path, query or fragment');
  const [, bracketed, bracketedPort] = /^\[([^\]]*)\](?::(.*))?$/s.exec(rest) ?? [];
  if (bracketed !== undefined) {
    const ip = bracketed.includes(':') ? parseIpAddress(bracketed) : undefined;
    if (ip === undefined) return refuse('there is no IPv6 address between the brackets');
    return { scheme, host: bracketed, ip, port: bracketedPort };
  }
  if (/:.*:/s.test(rest)) refuse(`an IPv6 address is written in brackets, as in [::1]:${DEFAULT_PORT}`);
  const colon = rest.indexOf(':');
  const host = colon < 0 ? rest : rest.slice(0, colon);
  return { scheme, host, ip: parseIpAddress(host), port: colon < 0 ? undefined : rest.slice(colon + 1) };
}

/** A port without sign or leading zeros, from `lowest` to 65,535; undefined where the text is none. */
export function parsePort(text: string, lowest: 0 | 1): number | undefined {
  const port = Number(text);
  return /^(0|[1-9][0-9]{0,4})$/.test(text) && port >= lowest && port <= 65_535 ? port : undefined;
}
