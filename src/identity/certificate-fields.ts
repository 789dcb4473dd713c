import {
  childrenOf,
  type DerElement,
  expectTag,
  malformed,
  parseDer,
  readBoolean,
  readInteger,
  readObjectIdentifier,
  readTime,
  TAG,
} from './der-reader.ts';

/** The fields of a certificate that this room reads (RFC 5280 4.1). */
export interface CertificateFields {
  /** 1, 2 or 3. */
  readonly version: number;
  /** Two's complement bytes. */
  readonly serialNumber: Uint8Array;
  readonly issuer: DerElement;
  readonly subject: DerElement;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The DER inside the extension of that object identifier; undefined when it is absent. */
  extension(oid: string): Uint8Array | undefined;
}

const VERSION = 0xa0;
const ISSUER_UNIQUE_ID = 0x81;
const SUBJECT_UNIQUE_ID = 0x82;
const EXTENSIONS = 0xa3;

/**
 * Takes a certificate apart. Throws `certificate_malformed` for anything but strict DER, and for an extension that
 * occurs twice (RFC 5280 4.2): two readers could each believe another one.
 */
export function parseCertificate(der: Uint8Array): CertificateFields {
  const [body, algorithm, signature, ...more] = childrenOf(expectTag(parseDer(der), TAG.sequence, 'certificate'));
  expectTag(algorithm, TAG.sequence, 'signature algorithm');
  expectTag(signature, TAG.bitString, 'signature');
  if (more.length > 0) malformed('it has more parts than a certificate');

  const fields = [...childrenOf(expectTag(body, TAG.sequence, 'body'))];
  const version = fields[0]?.tag === VERSION ? readVersion(fields.shift()) : 1;
  const [serial, innerAlgorithm, issuer, validity, subject, publicKey, ...optional] = fields;
  expectTag(innerAlgorithm, TAG.sequence, 'signature algorithm');
  expectTag(publicKey, TAG.sequence, 'public key');
  const [notBefore, notAfter, ...moreTimes] = childrenOf(expectTag(validity, TAG.sequence, 'validity'));
  if (moreTimes.length > 0) malformed('the validity has more than two times');
  const extensions = readExtensions(optional);
  return {
    version,
    serialNumber: readInteger(serial, 'serial number'),
    issuer: expectTag(issuer, TAG.sequence, 'issuer'),
    subject: expectTag(subject, TAG.sequence, 'subject'),
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    extension: oid => extensions.get(oid),
  };
}

function readVersion(element: DerElement | undefined): number {
  const [number, ...more] = element === undefined ? [] : childrenOf(element);
  const [value = 0, ...moreBytes] = readInteger(number, 'version');
  if (more.length > 0 || moreBytes.length > 0 || value > 2) malformed('its version is none that exists');
  return value + 1;
}

function readExtensions(optional: readonly DerElement[]): ReadonlyMap<string, Uint8Array> {
  const rest = [...optional];
  if (rest[0]?.tag === ISSUER_UNIQUE_ID) rest.shift();
  if (rest[0]?.tag === SUBJECT_UNIQUE_ID) rest.shift();
  const wrapper = rest[0]?.tag === EXTENSIONS ? rest.shift() : undefined;
  if (rest.length > 0) malformed('it has a field that no certificate has');
  const found = new Map<string, Uint8Array>();
  if (wrapper === undefined) return found;
  const list = expectTag(parseDer(wrapper.content), TAG.sequence, 'list of extensions');
  for (const extension of childrenOf(list)) {
    const [id, ...values] = childrenOf(expectTag(extension, TAG.sequence, 'extension'));
    const oid = readObjectIdentifier(id);
    const [critical] = values;
    if (critical?.tag === TAG.boolean) {
      readBoolean(critical);
      values.shift();
    }
    const [value, ...more] = values;
    if (more.length > 0) malformed(`the extension ${oid} has more than one value`);
    if (found.has(oid)) malformed(`the extension ${oid} occurs twice`);
    found.set(oid, expectTag(value, TAG.octetString, `value of the extension ${oid}`).content);
  }
  return found;
}
