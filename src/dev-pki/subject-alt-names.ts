import 'reflect-metadata';
import { Extension, GeneralName } from '@peculiar/x509';
import { derElement } from './der.ts';

/** Names that go into the subjectAltName extension, in this order: DNS, URI, IP, raw. */
export interface SubjectAltNames {
  readonly dnsNames?: readonly string[];
  readonly uris?: readonly string[];
  /** IPv4 or IPv6 addresses in text form. */
  readonly ipAddresses?: readonly string[];
  /** Further names as they stand, each one DER GeneralName (RFC 5280 4.2.1.6). For tests of hostile certificates. */
  readonly rawAltNames?: readonly Uint8Array[];
}

const SUBJECT_ALT_NAME = '2.5.29.17';
const TAG_SEQUENCE = 0x30;
const TAG_DNS_NAME = 0x82;
const TAG_URI = 0x86;

/**
 * The subjectAltName extension, or undefined when there is no name. Texts are written as UTF-8 bytes and are not
 * checked: a NUL, a newline or a letter outside ASCII ends up in the certificate as it is.
 */
export function subjectAltNameExtension(names: SubjectAltNames, critical: boolean): Extension | undefined {
  const encoded = [
    ...(names.dnsNames ?? []).map(name => derElement(TAG_DNS_NAME, Buffer.from(name))),
    ...(names.uris ?? []).map(uri => derElement(TAG_URI, Buffer.from(uri))),
    ...(names.ipAddresses ?? []).map(address => Buffer.from(new GeneralName('ip', address).rawData)),
    ...(names.rawAltNames ?? []),
  ];
  if (encoded.length === 0) return undefined;
  return new Extension(SUBJECT_ALT_NAME, critical, derElement(TAG_SEQUENCE, Buffer.concat(encoded)));
}
