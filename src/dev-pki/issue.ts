import 'reflect-metadata';
import { generateKeyPairSync, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { toPem } from '../identity/pem.ts';
import { keyIdOf, type PemPair, SIGNING_ALGORITHM, type Signer } from './signer.ts';
import { type SubjectAltNames, subjectAltNameExtension } from './subject-alt-names.ts';

/** What the extended key usage says: TLS server and client, one of them, nothing at all (no extension), or code signing. */
export type CertificateUsage = 'both' | 'server' | 'client' | 'none' | 'codeSigning';

/**
 * What a certificate shall say. Nothing is checked: a test may ask for hostile, expired and contradictory ones. What
 * users get comes through {@link nodeCertificateRequest} and {@link adminCertificateRequest}, which do check.
 */
export interface CertificateRequest extends SubjectAltNames {
  /** Several make several CN attributes. Default none: an empty subject. */
  readonly commonName?: string | readonly string[];
  /** Default five minutes ago, for clocks that differ; five minutes before `notAfter` where that is earlier. */
  readonly notBefore?: Date;
  /** Default 90 days from now, or from `notBefore` where that is later. */
  readonly notAfter?: Date;
  /** Default `both`. */
  readonly usage?: CertificateUsage;
  /** Hexadecimal, positive. Default 16 random bytes. */
  readonly serialNumber?: string;
  /** Makes it a CA certificate, without an extended key usage unless `usage` is given. Default false. */
  readonly isCa?: boolean;
}

export interface IssuedCertificate {
  /** Leaf first, then the intermediate where there is one; never the root. */
  readonly certPem: string;
  /** PKCS #8, not encrypted. */
  readonly keyPem: string;
  /** Upper-case hexadecimal, as Node's `X509Certificate` has it; what a CRL entry wants. */
  readonly serialNumber: string;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
/** How long before now validity begins by default. */
export const CLOCK_SKEW_MS: number = 5 * 60 * 1_000;
const DEFAULT_VALIDITY_MS = 90 * DAY_MS;

const USAGES: { readonly [Usage in CertificateUsage]: readonly ExtendedKeyUsage[] } = {
  both: [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth],
  server: [ExtendedKeyUsage.serverAuth],
  client: [ExtendedKeyUsage.clientAuth],
  none: [],
  codeSigning: [ExtendedKeyUsage.codeSigning],
};

/** Makes a new ECDSA P-256 key and a certificate for it, signed by `issuer`, or by itself when that is `'self'`. */
export async function signCertificate(
  issuer: Signer | 'self',
  request: CertificateRequest,
): Promise<PemPair & { readonly serialNumber: string }> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const keyId = keyIdOf(spki);
  const subject = subjectName(commonNamesOf(request));
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: request.serialNumber ?? randomSerialNumber(),
      subject,
      issuer: issuer === 'self' ? subject : issuer.certificate.subjectName,
      ...validityOf(request),
      publicKey: spki,
      signingKey: issuer === 'self' ? await importSigningKey(privateKey) : issuer.key,
      signingAlgorithm: SIGNING_ALGORITHM,
      extensions: extensionsOf(request, keyId, issuer === 'self' ? keyId : issuer.keyId),
    },
    webcrypto,
  );
  return {
    certPem: toPem('CERTIFICATE', new Uint8Array(certificate.rawData)),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    serialNumber: certificate.serialNumber.toUpperCase(),
  };
}

function validityOf(request: CertificateRequest): { notBefore: Date; notAfter: Date } {
  const nowMs = Date.now();
  const startMs = Math.min(nowMs, request.notAfter?.getTime() ?? nowMs) - CLOCK_SKEW_MS;
  const endMs = Math.max(nowMs, request.notBefore?.getTime() ?? nowMs) + DEFAULT_VALIDITY_MS;
  return { notBefore: request.notBefore ?? new Date(startMs), notAfter: request.notAfter ?? new Date(endMs) };
}

function commonNamesOf({ commonName = [] }: CertificateRequest): readonly string[] {
  return typeof commonName === 'string' ? [commonName] : commonName;
}

function subjectName(commonNames: readonly string[]): Name {
  // As an object, so that the library does not look for `#`, `+` or `,` in the text.
  return new Name(commonNames.map(name => ({ CN: [{ utf8String: name }] })));
}

function extensionsOf(request: CertificateRequest, keyId: string, issuerKeyId: string): Extension[] {
  const isCa = request.isCa ?? false;
  const usages = USAGES[request.usage ?? (isCa ? 'none' : 'both')];
  // RFC 5280 4.2.1.6: critical where the subject is empty.
  const subjectAltName = subjectAltNameExtension(request, commonNamesOf(request).length === 0);
  return [
    new BasicConstraintsExtension(isCa, undefined, true),
    new KeyUsagesExtension(
      isCa ? KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign : KeyUsageFlags.digitalSignature,
      true,
    ),
    ...(usages.length === 0 ? [] : [new ExtendedKeyUsageExtension([...usages])]),
    ...(subjectAltName === undefined ? [] : [subjectAltName]),
    new SubjectKeyIdentifierExtension(keyId),
    new AuthorityKeyIdentifierExtension(issuerKeyId),
  ];
}

/** 16 bytes whose first is 0x40 to 0x7f: positive, never padded or shortened, so that one number has one text. */
function randomSerialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return bytes.toString('hex');
}

function importSigningKey(privateKey: KeyObject): Promise<webcrypto.CryptoKey> {
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', pkcs8, SIGNING_ALGORITHM, false, ['sign']);
}
