import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { type CheckedCredentials, checkCredentials } from './check-credentials.ts';
import { contentHashOf } from './content-hash.ts';
import type { CredentialBytes } from './credential-bytes.ts';
import { credentialsInvalid } from './credential-problem.ts';
import type { OwnCertificate } from './own-certificate.ts';
import type { RevocationIndex } from './revocation.ts';
import { type MinTlsVersion, secureContextOptions } from './secure-context-options.ts';
import type { TrustAnchor } from './trust-anchors.ts';

export { contentHashOf } from './content-hash.ts';
export type { OwnCertificate } from './own-certificate.ts';
export type { MinTlsVersion } from './secure-context-options.ts';
export type { TrustAnchor } from './trust-anchors.ts';

/**
 * One immutable, checked generation of credentials. Printing or serialising it never shows the private key.
 */
export interface TrustSnapshot {
  /** Grows by one with each published set; 1 is the first. */
  readonly generation: number;
  /** SHA-256 over all files, hexadecimal: equal sets have equal hashes, wherever they lie. */
  readonly contentHash: string;
  /** The same over what peers are judged by alone, the CA files and the CRLs: a verdict of one holds under the other. */
  readonly trustHash: string;
  readonly own: OwnCertificate;
  readonly anchors: readonly TrustAnchor[];
  readonly revocations: RevocationIndex;
  readonly loadedAt: Date;
  /** What is odd about the set but stops nothing, for logs and `selvedgectl tls status`. */
  readonly warnings: readonly string[];
  /** For `node:tls`, both sides; made once a version. Sessions under it never resume. */
  secureContext(minVersion: MinTlsVersion): SecureContext;
  /** What {@link secureContext} is made of. Holds the private key in the clear: never log it, never keep it. */
  contextOptions(minVersion: MinTlsVersion): SecureContextOptions;
}

export interface SnapshotFacts {
  readonly generation: number;
  readonly now: Date;
}

/** A snapshot of a set of credentials. Throws `credentials_invalid` naming every problem when the set cannot be used. */
export function buildTrustSnapshot(bytes: CredentialBytes, facts: SnapshotFacts): TrustSnapshot {
  const { problems, warnings, credentials } = checkCredentials(bytes, facts.now);
  if (credentials === undefined) throw credentialsInvalid(problems);
  return createTrustSnapshot(credentials, warnings, contentHashOf(bytes), facts);
}

/** As {@link buildTrustSnapshot}, of what was checked already. */
export function createTrustSnapshot(
  credentials: CheckedCredentials,
  warnings: readonly string[],
  contentHash: string,
  { generation, now }: SnapshotFacts,
): TrustSnapshot {
  const contexts = new Map<MinTlsVersion, SecureContext>();
  const contextOptions = (minVersion: MinTlsVersion): SecureContextOptions =>
    secureContextOptions(credentials, minVersion);
  // The key and the contexts are reached by closure alone, so that nothing which walks properties can find them.
  return Object.freeze({
    generation,
    contentHash,
    trustHash: credentials.trustHash,
    own: credentials.own,
    anchors: credentials.anchors,
    revocations: credentials.revocations,
    loadedAt: now,
    warnings,
    contextOptions,
    secureContext: (minVersion: MinTlsVersion) => {
      const context = contexts.get(minVersion) ?? createSecureContext(contextOptions(minVersion));
      contexts.set(minVersion, context);
      return context;
    },
  });
}
