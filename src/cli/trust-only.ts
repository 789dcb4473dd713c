import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { trustHashOf } from '../credentials/content-hash.ts';
import type { CredentialBytes } from '../credentials/credential-bytes.ts';
import { readCredentialFiles } from '../credentials/credential-files.ts';
import { credentialsInvalid } from '../credentials/credential-problem.ts';
import type { CredentialSpec } from '../credentials/open-credential-source.ts';
import type { Findings } from '../credentials/own-certificate.ts';
import { RevocationIndex, readCrlFiles } from '../credentials/revocation.ts';
import { readTrustAnchors } from '../credentials/trust-anchors.ts';
import { contentHashOf, type MinTlsVersion, type TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { toPem } from '../identity/pem.ts';
import { readOnce } from './check-credential-sets.ts';

/**
 * A snapshot that trusts but has nothing to show: to judge certificates offline, and to dial a server that asks for no
 * certificate. Its `own` must not be read. Throws `credentials_invalid`.
 */
export async function loadTrustOnly(spec: CredentialSpec, now: Date): Promise<TrustSnapshot> {
  const bytes = await readTrust(spec);
  const findings: Findings = { problems: [], warnings: [] };
  const anchors = readTrustAnchors(bytes.ca, now, findings);
  const crls = readCrlFiles(bytes.crl);
  const problems = [...findings.problems, ...crls.problems];
  if (problems.length > 0) throw credentialsInvalid(problems);

  const ca = anchors.map(({ certificate }) => toPem('CERTIFICATE', certificate.raw));
  const contextOptions = (minVersion: MinTlsVersion): SecureContextOptions => ({ ca, minVersion });
  return {
    generation: 1,
    contentHash: contentHashOf(bytes),
    trustHash: trustHashOf(bytes),
    get own(): never {
      throw new TypeError('trust alone has no certificate of its own');
    },
    anchors,
    revocations: new RevocationIndex(crls.lists.map(({ list }) => list)),
    loadedAt: now,
    warnings: findings.warnings,
    contextOptions,
    secureContext: minVersion => createSecureContext(contextOptions(minVersion)),
  };
}

/**
 * Where the anchors are files of their own, those alone are read: who asks may not be able to read the key. The reader
 * wants a certificate and a key as well; one of the CA files stands in for both, and is not looked at as such.
 */
async function readTrust(spec: CredentialSpec): Promise<CredentialBytes> {
  if (spec.kind !== 'auto' && spec.caFiles[0] !== undefined) {
    const { caFiles, crlFiles } = spec;
    return readCredentialFiles({ certFile: spec.caFiles[0], keyFile: spec.caFiles[0], caFiles, crlFiles });
  }
  const reading = await readOnce(spec);
  if (!reading.ok) throw credentialsInvalid(reading.problems);
  return reading.bytes;
}
