import { isIPv4, isIPv6 } from 'node:net';

/** An IPv4 or IPv6 address. IPv4-mapped IPv6 addresses do not exist here: they are read as the IPv4 address they hold. */
export interface IpAddress {
  readonly family: 4 | 6;
  /** 4 or 16 numbers from 0 to 255. */
  readonly bytes: readonly number[];
  /** Canonical: dotted decimal, or RFC 5952. Equal addresses have equal texts. */
  readonly text: string;
}

/** All addresses that agree with `address` in the first `prefixBits` bits; the other bits of `address` are zero. */
export interface IpBlock {
  readonly address: IpAddress;
  readonly prefixBits: number;
  readonly text: string;
}

const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
const MAPPED_PREFIX_BITS = 96;

/** Reads an address without brackets, zone or leading zeros. Returns undefined for anything else. */
export function parseIpAddress(text: string): IpAddress | undefined {
  const bytes = parseBytes(text);
  return bytes === undefined ? undefined : ipAddressFromBytes(bytes);
}

/** The address of 4 or 16 bytes, as an IP name of a certificate holds it (RFC 5280 4.2.1.6); undefined for other lengths. */
export function ipAddressFromBytes(bytes: ArrayLike<number>): IpAddress | undefined {
  const list = Array.from(bytes);
  if (list.length === 4) return { family: 4, bytes: list, text: list.join('.') };
  if (list.length !== 16) return undefined;
  if (isMapped(list)) return ipAddressFromBytes(list.slice(MAPPED_PREFIX.length));
  return { family: 6, bytes: list, text: formatIPv6(list) };
}

/**
 * Reads an address, or a CIDR block such as `10.0.0.0/8`. Bits beyond the prefix must be zero (`10.0.0.5/8` is a
 * mistake, not a block). What is wrong comes back as `problem`, in words for the user.
 */
export function parseIpBlock(text: string): { readonly block: IpBlock } | { readonly problem: string } {
  const slash = text.indexOf('/');
  const bytes = parseBytes(slash < 0 ? text : text.slice(0, slash));
  if (bytes === undefined) return { problem: 'it is not an IP address or CIDR block' };
  const maxBits = bytes.length * 8;
  const bitsText = slash < 0 ? String(maxBits) : text.slice(slash + 1);
  const bits = Number(bitsText);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(bitsText) || bits > maxBits)
    return { problem: `the prefix length after "/" must be a number from 0 to ${maxBits}` };

  const network = bytes.map((byte, index) => byte & byteMask(bits, index));
  if (!network.every((byte, index) => byte === bytes[index])) {
    const suggestion = blockOf(network, bits)?.text ?? 'an address whose other bits are zero';
    return { problem: `it has bits beyond its prefix; write ${suggestion}` };
  }
  const block = blockOf(network, bits);
  return block === undefined ? { problem: 'it is not an IP address or CIDR block' } : { block };
}

/** True when the address lies in the block. An IPv6 block never holds an IPv4 address, nor the other way round. */
export function blockContains(block: IpBlock, address: IpAddress): boolean {
  if (block.address.family !== address.family) return false;
  return address.bytes.every(
    (byte, index) => (byte & byteMask(block.prefixBits, index)) === block.address.bytes[index],
  );
}

function blockOf(network: readonly number[], bits: number): IpBlock | undefined {
  const address = ipAddressFromBytes(network);
  if (address === undefined) return undefined;
  const wasMapped = network.length === 16 && address.family === 4;
  // a shorter prefix would leave set bits of the mapped prefix outside of it, which was refused before
  const prefixBits = wasMapped ? bits - MAPPED_PREFIX_BITS : bits;
  if (prefixBits < 0) return undefined;
  const isWhole = prefixBits === address.bytes.length * 8;
  return { address, prefixBits, text: isWhole ? address.text : `${address.text}/${prefixBits}` };
}

function byteMask(prefixBits: number, index: number): number {
  const bits = Math.min(8, Math.max(0, prefixBits - index * 8));
  return (0xff << (8 - bits)) & 0xff;
}

function parseBytes(text: string): number[] | undefined {
  if (isIPv4(text)) return text.split('.').map(Number);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const [head = '', tail] = text.split('::');
  const front = groupBytes(head);
  if (tail === undefined) return front;
  const back = groupBytes(tail);
  return [...front, ...Array<number>(16 - front.length - back.length).fill(0), ...back];
}

function groupBytes(groups: string): number[] {
  if (groups === '') return [];
  return groups.split(':').flatMap(group => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function isMapped(bytes: readonly number[]): boolean {
  return MAPPED_PREFIX.every((byte, index) => bytes[index] === byte);
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
function formatIPv6(bytes: readonly number[]): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  let runStart = 0;
  let runLength = 0;
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > runLength) [runStart, runLength] = [start, end - start];
  }
  const hex = groups.map(group => group.toString(16));
  if (runLength < 2) return hex.join(':');
  return `${hex.slice(0, runStart).join(':')}::${hex.slice(runStart + runLength).join(':')}`;
}
