import 'reflect-metadata';
import { createHash, createPrivateKey, X509Certificate as NodeCertificate, webcrypto } from 'node:crypto';
import { SubjectKeyIdentifierExtension, X509Certificate } from '@peculiar/x509';
import { messageOf, SelvedgeError } from '../errors/selvedge-error.ts';

export const SIGNING_ALGORITHM: { readonly name: string; readonly namedCurve: string; readonly hash: string } = {
  name: 'ECDSA',
  namedCurve: 'P-256',
  hash: 'SHA-256',
};

/** A certificate and its private key, both PEM, each text ending in a newline. */
export interface PemPair {
  readonly certPem: string;
  readonly keyPem: string;
}

/** A CA certificate that is ready to sign. */
export interface Signer {
  readonly pems: PemPair;
  readonly certificate: X509Certificate;
  readonly key: webcrypto.CryptoKey;
  /** Hexadecimal; what goes into the authority key identifier of what it signs. */
  readonly keyId: string;
}

/**
 * A signer from PEM. The key must be an unencrypted ECDSA P-256 key that belongs to the certificate; anything else is
 * `certificate_malformed`.
 */
export async function openSigner(pems: PemPair): Promise<Signer> {
  try {
    const privateKey = createPrivateKey(pems.keyPem);
    if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('the key is not ECDSA P-256');
    if (!new NodeCertificate(pems.certPem).checkPrivateKey(privateKey)) {
      throw new Error('the key does not belong to the certificate');
    }
    const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
    const key = await webcrypto.subtle.importKey('pkcs8', pkcs8, SIGNING_ALGORITHM, false, ['sign']);
    const certificate = new X509Certificate(pems.certPem);
    const keyId =
      certificate.getExtension(SubjectKeyIdentifierExtension)?.keyId ?? keyIdOf(certificate.publicKey.rawData);
    return { pems, certificate, key, keyId };
  } catch (error) {
    const problem = messageOf(error);
    throw new SelvedgeError('certificate_malformed', `The CA cannot sign: ${problem}`, { problem }, { cause: error });
  }
}

/** Key identifier of a public key in SPKI form: a shortened SHA-256 over all of it (RFC 7093 section 2, method 4). */
export function keyIdOf(spki: ArrayBuffer | Uint8Array): string {
  return createHash('sha256').update(new Uint8Array(spki)).digest('hex').slice(0, 40);
}
