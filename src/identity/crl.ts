import { type X509Certificate as CryptoCertificate, constants, verify } from 'node:crypto';
import { isSelvedgeError, SelvedgeError } from '../errors/selvedge-error.ts';
import { parseCertificate } from './certificate-fields.ts';
import {
  childrenOf,
  type DerElement,
  eachChildOf,
  expectTag,
  malformed,
  parseDer,
  readInteger,
  readObjectIdentifier,
  readTime,
  TAG,
} from './der-reader.ts';
import { formatName } from './distinguished-name.ts';
import { atOnce, type Steps } from './steps.ts';

/** Which certificates of one issuer are revoked (RFC 5280 5). What it says counts only if its issuer signed it. */
export interface CertificateRevocationList {
  /** Who the list says it is of, in one printable line. */
  readonly issuer: string;
  readonly thisUpdate: Date;
  /** When a newer one should be there; undefined where the list does not say. */
  readonly nextUpdate: Date | undefined;
  /** Grows from list to list of an issuer (RFC 5280 5.2.3); undefined where the list does not say. */
  readonly crlNumber: bigint | undefined;
  /** The DER content bytes of each serial number, hexadecimal; see {@link revokes}. */
  readonly revokedSerials: ReadonlySet<string>;
  /** Whether the list names this certificate. Its issuer is not compared. */
  revokes(certificate: CryptoCertificate): boolean;
  /** Whether this certificate's subject is the issuer that the list names, byte for byte. */
  isNamedFor(issuer: CryptoCertificate): boolean;
  /** Whether the key of this certificate made the signature. SHA-1 and unknown algorithms count as no signature. */
  isSignedBy(issuer: CryptoCertificate): boolean;
}

/**
 * A revocation list from its DER bytes. Entries that a delta list takes back (`removeFromCRL`) are left out. Throws
 * `certificate_malformed` for what is not strict DER and for indirect lists, whose entries belong to other issuers.
 */
export function readCrl(der: Uint8Array): CertificateRevocationList {
  return atOnce(crlSteps(der));
}

/** As {@link readCrl}, with a pause after each entry: some CAs revoke a hundred thousand. */
export function* crlSteps(der: Uint8Array): Steps<CertificateRevocationList> {
  try {
    return yield* parseList(der);
  } catch (error) {
    if (!isSelvedgeError(error, 'certificate_malformed')) throw error;
    const { problem } = error.facts;
    throw new SelvedgeError('certificate_malformed', `The CRL cannot be read: ${problem}.`, { problem });
  }
}

const CRL_EXTENSIONS = 0xa0;
const ENUMERATED = 0x0a;
const CRL_NUMBER = '2.5.29.20';
const REASON_CODE = '2.5.29.21';
const CERTIFICATE_ISSUER = '2.5.29.29';
const REMOVE_FROM_CRL = 8;

function* parseList(der: Uint8Array): Steps<CertificateRevocationList> {
  const [body, algorithm, signature, ...more] = childrenOf(expectTag(parseDer(der), TAG.sequence, 'list'));
  if (more.length > 0) malformed('it has more parts than a revocation list');
  const signed = expectTag(body, TAG.sequence, 'body');
  const fields = [...childrenOf(signed)];
  if (fields[0]?.tag === TAG.integer) fields.shift();
  const [innerAlgorithm, issuerName, thisUpdate, ...optional] = fields;
  const issuer = expectTag(issuerName, TAG.sequence, 'issuer');
  const nextUpdate = isTime(optional[0]) ? optional.shift() : undefined;
  const entries = optional[0]?.tag === TAG.sequence ? optional.shift() : undefined;
  const extensions = optional[0]?.tag === CRL_EXTENSIONS ? optional.shift() : undefined;
  if (optional.length > 0) malformed('it has a field that no revocation list has');

  const revokedSerials = yield* readEntries(entries);
  const isSigned = signatureCheck(signed, algorithm, innerAlgorithm, signature);
  return {
    issuer: formatName(issuer),
    thisUpdate: readTime(thisUpdate),
    nextUpdate: nextUpdate === undefined ? undefined : readTime(nextUpdate),
    crlNumber: numberIn(extensions),
    revokedSerials,
    revokes: certificate => revokedSerials.has(hex(parseCertificate(certificate.raw).serialNumber)),
    isNamedFor: certificate => hex(parseCertificate(certificate.raw).subject.encoded) === hex(issuer.encoded),
    isSignedBy: certificate => isSigned(certificate),
  };
}

function isTime(element: DerElement | undefined): boolean {
  return element?.tag === TAG.utcTime || element?.tag === TAG.generalizedTime;
}

function* readEntries(entries: DerElement | undefined): Steps<ReadonlySet<string>> {
  const serials = new Set<string>();
  for (const entry of entries === undefined ? [] : eachChildOf(entries)) {
    const [serial, revokedAt, extensions] = childrenOf(expectTag(entry, TAG.sequence, 'entry'));
    readTime(revokedAt);
    if (!isTakenBack(extensions)) serials.add(hex(readInteger(serial, 'serial number')));
    yield;
  }
  return serials;
}

function numberIn(extensions: DerElement | undefined): bigint | undefined {
  if (extensions === undefined) return undefined;
  const [list] = childrenOf(extensions);
  for (const extension of childrenOf(expectTag(list, TAG.sequence, 'list of extensions'))) {
    const parts = childrenOf(expectTag(extension, TAG.sequence, 'extension'));
    if (readObjectIdentifier(parts[0]) !== CRL_NUMBER) continue;
    const value = parseDer(expectTag(parts.at(-1), TAG.octetString, 'CRL number').content);
    return BigInt(`0x${hex(readInteger(value, 'CRL number'))}`);
  }
  return undefined;
}

function isTakenBack(extensions: DerElement | undefined): boolean {
  if (extensions === undefined) return false;
  return childrenOf(expectTag(extensions, TAG.sequence, 'list of extensions of an entry')).some(extension => {
    const parts = childrenOf(expectTag(extension, TAG.sequence, 'extension of an entry'));
    const oid = readObjectIdentifier(parts[0]);
    if (oid === CERTIFICATE_ISSUER) malformed('it is an indirect list, which is not supported');
    if (oid !== REASON_CODE) return false;
    const reason = parseDer(expectTag(parts.at(-1), TAG.octetString, 'reason of an entry').content);
    return expectTag(reason, ENUMERATED, 'reason of an entry').content[0] === REMOVE_FROM_CRL;
  });
}

/** Hash algorithms by signature algorithm (RFC 4055, RFC 5758); null: the algorithm hashes by itself (RFC 8410). */
const HASHES: ReadonlyMap<string, string | null> = new Map([
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.3.101.112', null],
  ['1.3.101.113', null],
]);
const RSA_PSS = '1.2.840.113549.1.1.10';
const PSS_HASH = 0xa0;
const PSS_HASHES: ReadonlyMap<string, string> = new Map([
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
]);

function signatureCheck(
  signed: DerElement,
  outer: DerElement | undefined,
  inner: DerElement | undefined,
  signature: DerElement | undefined,
): (by: CryptoCertificate) => boolean {
  const algorithm = expectTag(outer, TAG.sequence, 'signature algorithm');
  if (hex(expectTag(inner, TAG.sequence, 'signature algorithm').encoded) !== hex(algorithm.encoded))
    malformed('it names two signature algorithms');
  // The first byte of a bit string counts unused bits; a signature has none.
  const bits = expectTag(signature, TAG.bitString, 'signature').content.subarray(1);
  const [id, parameters] = childrenOf(algorithm);
  const oid = readObjectIdentifier(id);
  const isPss = oid === RSA_PSS;
  const hash = isPss ? pssHashOf(parameters) : HASHES.get(oid);
  if (hash === undefined) return () => false;
  const padding = isPss ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO } : {};
  return by => {
    try {
      return verify(hash, signed.encoded, { key: by.publicKey, ...padding }, bits);
    } catch {
      return false; // a key of another kind
    }
  };
}

function pssHashOf(parameters: DerElement | undefined): string | undefined {
  if (parameters?.tag !== TAG.sequence) return undefined;
  const wrapper = childrenOf(parameters).find(({ tag }) => tag === PSS_HASH);
  if (wrapper === undefined) return undefined; // SHA-1, by default
  const [id] = childrenOf(expectTag(parseDer(wrapper.content), TAG.sequence, 'hash algorithm'));
  return PSS_HASHES.get(readObjectIdentifier(id));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
