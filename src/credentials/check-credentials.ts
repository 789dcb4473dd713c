import type { KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { messageOf } from '../errors/selvedge-error.ts';
import { findPaths, vouchersOf } from './certificate-path.ts';
import { trustHashOf } from './content-hash.ts';
import type { CredentialBytes } from './credential-bytes.ts';
import type { CredentialProblem } from './credential-problem.ts';
import { checkKeyPair, type Findings, type OwnCertificate, readOwnChain, readPrivateKey } from './own-certificate.ts';
import { type CrlReading, RevocationIndex, readCrlFiles, warningsOfCrls } from './revocation.ts';
import { secureContextOptions } from './secure-context-options.ts';
import { anchorsFor, readTrustAnchors, type TrustAnchor } from './trust-anchors.ts';

/** A set of credentials that was found usable. */
export interface CheckedCredentials {
  readonly own: OwnCertificate;
  readonly key: KeyObject;
  readonly anchors: readonly TrustAnchor[];
  readonly revocations: RevocationIndex;
  /** Equal for sets with the same CA files and CRLs. */
  readonly trustHash: string;
}

export interface CredentialCheck {
  /** Why the set cannot be used, all reasons; empty when it can. */
  readonly problems: readonly CredentialProblem[];
  /** What is odd about it but stops nothing. */
  readonly warnings: readonly string[];
  /** The parsed set; undefined when there are problems. */
  readonly credentials: CheckedCredentials | undefined;
}

/**
 * Judges a set of credentials as one: each file by itself, the key against the certificate, the chain against the anchors.
 * @param crls what was read of `bytes.crl`. Default: read here.
 */
export function checkCredentials(
  bytes: CredentialBytes,
  now: Date,
  crls: CrlReading = readCrlFiles(bytes.crl),
): CredentialCheck {
  const findings: Findings = { problems: [], warnings: [] };
  const chain = readOwnChain(bytes.cert, now, findings);
  const key = readPrivateKey(bytes.key, findings);
  const anchors = readTrustAnchors(bytes.ca, now, findings);
  findings.problems.push(...crls.problems);
  if (chain !== undefined && key !== undefined) checkKeyPair(bytes, chain, key, findings);

  if (chain === undefined || key === undefined || findings.problems.length > 0)
    return { ...findings, credentials: undefined };

  const paths = findPaths(chain.leaf, chain.intermediates, anchorsFor(chain.own.identity, anchors));
  const roots = new Set(paths.map(path => fingerprintOf(path.at(-1) ?? chain.leaf)));
  const credentials: CheckedCredentials = {
    own: {
      ...chain.own,
      identity: { ...chain.own.identity, vouchedBy: vouchersOf(paths) },
      anchors: [...roots],
    },
    key,
    anchors,
    revocations: new RevocationIndex(crls.lists.map(({ list }) => list)),
    trustHash: trustHashOf(bytes),
  };
  checkAcceptedByOpenssl(bytes, credentials, findings);
  if (findings.problems.length > 0) return { ...findings, credentials: undefined };

  const knownIssuers = [...anchors.map(anchor => anchor.certificate), ...chain.intermediates];
  findings.warnings.push(...warningsOfCrls(crls.lists, knownIssuers, now));
  if (roots.size === 0)
    findings.warnings.push(`${bytes.cert.file}: none of our own trust anchors vouches for our own certificate`);
  return { ...findings, credentials };
}

/** As identities write it: lower-case hexadecimal without colons. */
function fingerprintOf({ fingerprint256 }: X509Certificate): string {
  return fingerprint256.replaceAll(':', '').toLowerCase();
}

/** OpenSSL refuses more than we check, such as keys that are too short. */
function checkAcceptedByOpenssl(bytes: CredentialBytes, credentials: CheckedCredentials, findings: Findings): void {
  try {
    createSecureContext(secureContextOptions(credentials, 'TLSv1.2'));
  } catch (error) {
    findings.problems.push({ file: bytes.cert.file, problem: `OpenSSL refuses it: ${messageOf(error)}` });
  }
}
