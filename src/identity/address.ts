import { SelvedgeError } from '../errors/selvedge-error.ts';
import { canonicalDnsName, parseDnsName } from './dns-name.ts';
import { DEFAULT_PORT, parsePort, splitAddress } from './host-port.ts';
import { quoted, withoutKey } from './quoted.ts';

export type Scheme = 'http' | 'https';

/** Longest path of a unix socket, in bytes; Node would cut a longer one without a word. */
export const MAX_SOCKET_PATH_BYTES = 107;

export interface TcpAddress {
  readonly kind: 'tcp';
  /** `https` is mutual TLS, `http` plaintext; undefined where the mode decides. */
  readonly scheme: Scheme | undefined;
  /** Canonical: lower case, no trailing dot, no brackets, IPv6 as RFC 5952, IPv4-mapped IPv6 as IPv4. */
  readonly host: string;
  readonly hostKind: 'name' | 'ipv4' | 'ipv6';
  /** 0 to 65,535; 0 takes a free port where it is bound. */
  readonly port: number;
}

export interface UnixAddress {
  readonly kind: 'unix';
  /** As it was written, absolute or relative. */
  readonly path: string;
}

export type Address = TcpAddress | UnixAddress;

/**
 * Reads `https://host:port`, `http://host:port`, `host:port`, `host`, `[IPv6]:port` or `unix:path`. Port left out:
 * {@link DEFAULT_PORT}. Throws `address_invalid` with a problem that says what to write instead.
 */
export function parseAddress(text: string): Address {
  const refuse = (problem: string): never => {
    throw new SelvedgeError('address_invalid', `${quoted(text)} is not an address: ${problem}.`, {
      address: withoutKey(text),
      problem,
    });
  };
  if (text === '') return refuse('it is empty');
  if (text.startsWith('unix:')) return parseUnix(text.slice('unix:'.length), refuse);
  if (/[\s\p{Cc}]/u.test(text)) return refuse('it holds a space or control character');
  const { scheme, host, ip, port: portText } = splitAddress(text, refuse);
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https')
    return refuse(`the scheme ${quoted(scheme)} is not known; use https, http or unix`);
  const port = portText === undefined ? DEFAULT_PORT : parsePort(portText, 0);
  if (port === undefined) return refuse('the port is not a number from 0 to 65535');
  if (host === '') refuse('the host is missing; to listen on every address, write 0.0.0.0 or [::]');
  if (ip !== undefined)
    return { kind: 'tcp', scheme, host: ip.text, hostKind: ip.family === 4 ? 'ipv4' : 'ipv6', port };
  if (parseDnsName(host) === undefined) refuse(`${quoted(host)} is neither a host name nor an IP address`);
  return { kind: 'tcp', scheme, host: canonicalDnsName(host), hostKind: 'name', port };
}

/** The canonical text: with the scheme where there is one, always with the port. {@link parseAddress} reads it back. */
export function formatAddress(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return address.scheme === undefined ? formatHostPort(address) : `${address.scheme}://${formatHostPort(address)}`;
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatHostPort(address: TcpAddress): string {
  return address.hostKind === 'ipv6' ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** True for `0.0.0.0` and `::`, which can be bound but not dialled. */
export function isWildcardHost(address: Address): boolean {
  return address.kind === 'tcp' && (address.host === '0.0.0.0' || address.host === '::');
}

/** True when both are the same address, scheme included. */
export function sameAddress(a: Address, b: Address): boolean {
  return formatAddress(a) === formatAddress(b);
}

export function withScheme(address: TcpAddress, scheme: Scheme): TcpAddress {
  return { ...address, scheme };
}

type RefuseAddress = (problem: string) => never;

function parseUnix(text: string, refuse: RefuseAddress): UnixAddress {
  // gRPC writes absolute paths as unix:///path too
  const path = text.startsWith('//') ? text.slice(2) : text;
  if (text.startsWith('//') && !path.startsWith('/')) refuse('a relative socket path is written "unix:path"');
  if (path === '' || path.endsWith('/')) refuse('"unix:" is followed by the path of a socket');
  if (/\p{Cc}/u.test(path)) refuse('it holds a control character');
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_SOCKET_PATH_BYTES)
    refuse(`the socket path has ${bytes} bytes, and ${MAX_SOCKET_PATH_BYTES} is the most the system takes`);
  return { kind: 'unix', path };
}
