import { childrenOf, expectTag, malformed, parseDer, TAG } from './der-reader.ts';
import { parsePresentedDnsName } from './dns-name.ts';
import { ipAddressFromBytes } from './ip-address.ts';

/** The subject alternative names that are safely what they claim to be. */
export interface GeneralNames {
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  /** URI names in the certificate, those left out of `uris` included. */
  readonly uriCount: number;
  readonly ipAddresses: readonly string[];
}

const DNS_NAME = 0x82;
const URI = 0x86;
const IP_ADDRESS = 0x87;
const CONTEXT_CLASS = 0x80;
const MAX_URI_LENGTH = 2_048;
/** RFC 3986 characters after a scheme; no space, quote, control or non-ASCII character. */
const URI_FORM = /^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#[\]@!$&'()*+,;=%-]+$/;

/** Reads a subjectAltName extension (RFC 5280 4.2.1.6); undefined stands for a certificate without one. */
export function parseGeneralNames(extension: Uint8Array | undefined): GeneralNames {
  const dnsNames: string[] = [];
  const uris: string[] = [];
  const ipAddresses: string[] = [];
  let uriCount = 0;
  if (extension === undefined) return { dnsNames, uris, uriCount, ipAddresses };
  for (const { tag, content } of childrenOf(
    expectTag(parseDer(extension), TAG.sequence, 'list of alternative names'),
  )) {
    if ((tag & 0xc0) !== CONTEXT_CLASS) malformed('an alternative name is of no known type');
    // latin1 keeps one character a byte: bytes that are not ASCII fail the checks below
    const text = Buffer.from(content).toString('latin1');
    if (tag === DNS_NAME && parsePresentedDnsName(text) !== undefined) dnsNames.push(text);
    if (tag === URI) uriCount++;
    if (tag === URI && text.length <= MAX_URI_LENGTH && URI_FORM.test(text)) uris.push(text);
    const address = tag === IP_ADDRESS ? ipAddressFromBytes(content) : undefined;
    if (address !== undefined) ipAddresses.push(address.text);
  }
  return { dnsNames, uris, uriCount, ipAddresses };
}
