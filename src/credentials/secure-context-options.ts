import { constants, type KeyObject } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { OwnCertificate } from './own-certificate.ts';
import type { TrustAnchor } from './trust-anchors.ts';

/** The lowest TLS version to agree on, in Node's spelling. */
export type MinTlsVersion = 'TLSv1.2' | 'TLSv1.3';

/**
 * TLS 1.3's suites and, of 1.2, those with forward secrecy and authenticated encryption (RFC 9325 4.2). Level 2 refuses
 * keys and signatures below 112 bits anywhere in a chain.
 */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  '@SECLEVEL=2',
].join(':');

/**
 * What Node's TLS needs to show these credentials and to verify against these anchors. Sessions never resume: a resumed
 * one carries the identity of a certificate that nobody looks at again. No CRL is among them, see `RevocationIndex`.
 */
export function secureContextOptions(
  credentials: { readonly own: OwnCertificate; readonly key: KeyObject; readonly anchors: readonly TrustAnchor[] },
  minVersion: MinTlsVersion,
): SecureContextOptions {
  return {
    cert: credentials.own.chainPem,
    key: credentials.key.export({ type: 'pkcs8', format: 'pem' }),
    ca: credentials.anchors.map(anchor => anchor.certificate.toString()),
    minVersion,
    ciphers: CIPHERS,
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
