import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { trustHashOf } from '../credentials/content-hash.ts';
import type { CredentialBytes } from '../credentials/credential-bytes.ts';
import { readCredentialFiles } from '../credentials/credential-files.ts';
import { credentialsInvalid } from '../credentials/credential-problem.ts';
import type { Findings } from '../credentials/own-certificate.ts';
import { RevocationIndex, readCrlFiles } from '../credentials/revocation.ts';
import { readTrustAnchors } from '../credentials/trust-anchors.ts';
import { contentHashOf, type MinTlsVersion, type TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { toPem } from '../identity/pem.ts';

export interface TrustFiles {
  readonly caFiles: readonly string[];
  readonly crlFiles: readonly string[];
}

/**
 * A snapshot that trusts but has nothing to show: to judge certificates offline, and to dial a server that asks for no
 * certificate. Its `own` must not be read. Throws `credentials_invalid`.
 */
export async function loadTrustOnly(files: TrustFiles, now: Date): Promise<TrustSnapshot> {
  const bytes = await readTrustFiles(files);
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

/** The reader wants a certificate and a key as well; one of the CA files stands in for both, and is not looked at as such. */
async function readTrustFiles({
  caFiles,
  crlFiles,
}: TrustFiles): Promise<Pick<CredentialBytes, 'ca' | 'crl'> & CredentialBytes> {
  const [standIn = ''] = caFiles;
  return readCredentialFiles({ certFile: standIn, keyFile: standIn, caFiles, crlFiles });
}
