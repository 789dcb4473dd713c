import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { AuthorityKeyIdentifierExtension, Extension, X509CrlGenerator } from '@peculiar/x509';
import { toPem } from '../identity/pem.ts';
import { derElement } from './der.ts';
import { SIGNING_ALGORITHM, type Signer } from './signer.ts';

export interface RevokedCertificate {
  /** Hexadecimal. */
  readonly serialNumber: string;
  /** Default now. */
  readonly revokedAt?: Date;
}

export interface RevocationListOptions {
  /** Default five minutes ago, or five minutes before `nextUpdate` where that is earlier. */
  readonly thisUpdate?: Date;
  /** Default seven days from now. One in the past makes an expired list. */
  readonly nextUpdate?: Date;
}

const CRL_NUMBER = '2.5.29.20';
const TAG_INTEGER = 0x02;
const CLOCK_SKEW_MS = 5 * 60 * 1_000;
const DEFAULT_VALIDITY_MS = 7 * 24 * 60 * 60 * 1_000;

/** A certificate revocation list of `issuer` (RFC 5280 section 5), PEM. */
export async function createRevocationList(
  issuer: Signer,
  entries: readonly RevokedCertificate[],
  options: RevocationListOptions = {},
): Promise<string> {
  const nowMs = Date.now();
  const nextUpdate = options.nextUpdate ?? new Date(nowMs + DEFAULT_VALIDITY_MS);
  const list = await X509CrlGenerator.create(
    {
      issuer: issuer.certificate.subjectName,
      thisUpdate: options.thisUpdate ?? new Date(Math.min(nowMs, nextUpdate.getTime()) - CLOCK_SKEW_MS),
      nextUpdate,
      entries: entries.map(entry => ({
        serialNumber: entry.serialNumber,
        revocationDate: entry.revokedAt ?? new Date(nowMs),
      })),
      extensions: [new AuthorityKeyIdentifierExtension(issuer.keyId), crlNumberExtension(nowMs)],
      signingKey: issuer.key,
      signingAlgorithm: SIGNING_ALGORITHM,
    },
    webcrypto,
  );
  // The library's own label is CRL, which neither RFC 7468 section 6 nor OpenSSL knows.
  return toPem('X509 CRL', new Uint8Array(list.rawData));
}

/** The number must grow from list to list (RFC 5280 5.2.3); the time does, and needs no file to remember it. */
function crlNumberExtension(nowMs: number): Extension {
  const hex = nowMs.toString(16).padStart(16, '0');
  const bytes = Buffer.from(hex, 'hex');
  const firstByte = bytes.findIndex(byte => byte !== 0);
  // One zero byte before keeps the integer positive where its first bit is set.
  const start = (bytes[firstByte] ?? 0) >= 0x80 ? firstByte - 1 : firstByte;
  return new Extension(CRL_NUMBER, false, derElement(TAG_INTEGER, bytes.subarray(start)));
}
