import { createHash } from 'node:crypto';
import { type CertificateFields, parseCertificate } from './certificate-fields.ts';
import { commonNameOf, commonNamesOf, formatName } from './distinguished-name.ts';
import { type GeneralNames, parseGeneralNames } from './general-names.ts';
import { parseSpiffeId } from './spiffe-id.ts';

/** What tells a certificate from all others, or from the others of its CA; as {@link PeerIdentity} writes them. */
export type CertificateMarks = Pick<PeerIdentity, 'fingerprint256' | 'serialNumber'>;

/**
 * Who a certificate says its holder is. The lists hold only what is safely a name of its kind; nothing in here can
 * carry a control character.
 */
export interface PeerIdentity {
  /** The subject in one printable line (RFC 4514); empty when the certificate has none. For people, never for matching. */
  readonly subject: string;
  /** As `subject`. */
  readonly issuer: string;
  /** The one common name; undefined when there is none, several, or one that is not plain text. */
  readonly commonName: string | undefined;
  /** Every common name that is plain text. What a certificate may be denied for, never what it is admitted for. */
  readonly commonNames: readonly string[];
  /** DNS names as presented, `*` alone allowed as the leftmost label. */
  readonly dnsNames: readonly string[];
  /** URIs as presented. */
  readonly uris: readonly string[];
  /** Canonical texts (RFC 5952; IPv4-mapped addresses as IPv4). */
  readonly ipAddresses: readonly string[];
  /** The SPIFFE ID of a certificate whose only URI name is a valid one (SPIFFE X509-SVID 2); otherwise undefined. */
  readonly spiffeId: string | undefined;
  /** SHA-256 of the DER: 64 lower-case hexadecimal digits. */
  readonly fingerprint256: string;
  /** Lower-case hexadecimal, two digits a byte, without leading zero bytes; a negative one begins with `-`. */
  readonly serialNumber: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The CA certificates on the good paths from it to trust anchors; undefined where it was not judged. */
  readonly vouchedBy?: readonly CertificateMarks[];
}

/**
 * Reads the identity out of a certificate's DER bytes. Structure that is not strict DER throws
 * `certificate_malformed`; a name that is well-formed but not safely readable as one (a NUL in a DNS name, an IP name
 * of 5 bytes, a line feed in the common name) is left out and so matches nothing. It still counts: a certificate with
 * a good and a bad URI has no SPIFFE ID.
 */
export function readPeerIdentity(der: Uint8Array): PeerIdentity {
  const fields = parseCertificate(der);
  const names = parseGeneralNames(fields.extension('2.5.29.17'));
  return {
    subject: formatName(fields.subject),
    issuer: formatName(fields.issuer),
    commonName: commonNameOf(fields.subject),
    commonNames: commonNamesOf(fields.subject),
    dnsNames: names.dnsNames,
    uris: names.uris,
    ipAddresses: names.ipAddresses,
    spiffeId: spiffeIdOf(names),
    fingerprint256: createHash('sha256').update(der).digest('hex'),
    serialNumber: serialText(fields),
    notBefore: fields.notBefore,
    notAfter: fields.notAfter,
  };
}

/** What its holder is called where there is room for one name: the SPIFFE ID, else the common name, else a DNS name. */
export function knownAs({ spiffeId, commonName, dnsNames }: PeerIdentity): string {
  return spiffeId ?? commonName ?? dnsNames[0] ?? '';
}

function spiffeIdOf(names: GeneralNames): string | undefined {
  const [uri] = names.uris;
  if (uri === undefined || names.uriCount !== 1) return undefined;
  return parseSpiffeId(uri) === undefined ? undefined : uri;
}

/** As Node and OpenSSL write it, in lower case: the magnitude, and `-` before a negative number (which no CA should use). */
function serialText(fields: CertificateFields): string {
  const hex = Buffer.from(fields.serialNumber).toString('hex');
  const value = BigInt.asIntN(hex.length * 4, BigInt(`0x${hex}`));
  const magnitude = (value < 0n ? -value : value).toString(16);
  return `${value < 0n ? '-' : ''}${magnitude.length % 2 === 0 ? '' : '0'}${magnitude}`;
}
