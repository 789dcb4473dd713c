import { parseCertificate } from './certificate-fields.ts';
import {
  childrenOf,
  expectTag,
  malformed,
  parseDer,
  readBits,
  readBoolean,
  readObjectIdentifier,
  TAG,
} from './der-reader.ts';

/** What a certificate may be used for, as far as its own bytes say. */
export interface CertificateFacts {
  /** 1, 2 or 3. */
  readonly version: number;
  /** Basic constraints with `cA` true (RFC 5280 4.2.1.9). */
  readonly isCa: boolean;
  /** Names of RFC 5280 4.2.1.3, such as `digitalSignature`; undefined when the extension is absent: any use. */
  readonly keyUsages: readonly string[] | undefined;
  /** Object identifiers, such as `1.3.6.1.5.5.7.3.2` (client authentication); undefined when absent: any use. */
  readonly extendedKeyUsages: readonly string[] | undefined;
}

const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
];

/** Reads the facts out of a certificate's DER bytes. Throws `certificate_malformed` for what is not strict DER. */
export function readCertificateFacts(der: Uint8Array): CertificateFacts {
  const fields = parseCertificate(der);
  return {
    version: fields.version,
    isCa: readIsCa(fields.extension('2.5.29.19')),
    keyUsages: readKeyUsages(fields.extension('2.5.29.15')),
    extendedKeyUsages: readExtendedKeyUsages(fields.extension('2.5.29.37')),
  };
}

function readIsCa(extension: Uint8Array | undefined): boolean {
  if (extension === undefined) return false;
  const [first] = childrenOf(expectTag(parseDer(extension), TAG.sequence, 'basic constraints'));
  return first?.tag === TAG.boolean && readBoolean(first);
}

function readKeyUsages(extension: Uint8Array | undefined): readonly string[] | undefined {
  if (extension === undefined) return undefined;
  const bits = readBits(expectTag(parseDer(extension), TAG.bitString, 'key usage'));
  return KEY_USAGES.filter((_, index) => bits(index));
}

function readExtendedKeyUsages(extension: Uint8Array | undefined): readonly string[] | undefined {
  if (extension === undefined) return undefined;
  const usages = childrenOf(expectTag(parseDer(extension), TAG.sequence, 'extended key usage'));
  if (usages.length === 0) malformed('the extended key usage is empty');
  return usages.map(usage => readObjectIdentifier(usage));
}
