import type { X509Certificate } from 'node:crypto';
import { canIssue, type TrustAnchor } from './trust-anchors.ts';

/** From a leaf to a trust anchor: each certificate is issued and signed by the next; the anchor comes last. */
export type CertificatePath = readonly [leaf: X509Certificate, ...issuers: X509Certificate[]];

/** A peer may present many intermediates that sign each other in circles; beyond these the search stops. */
const MAX_PATH_LENGTH = 10;
const MAX_SIGNATURE_CHECKS = 64;
const MAX_PATHS = 8;

/**
 * The ways from `leaf` through `intermediates` to one of `anchors`, those that reach an anchor sooner first, at most
 * eight. Names, key identifiers, CA flags and signatures are checked; dates, usages and revocation are not. Empty when
 * no anchor vouches for the leaf. A leaf that is an anchor itself is a path of one.
 */
export function findPaths(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  anchors: readonly TrustAnchor[],
): CertificatePath[] {
  return new PathSearch(intermediates, anchors).from([leaf]);
}

class PathSearch {
  readonly #intermediates: readonly X509Certificate[];
  readonly #anchors: readonly X509Certificate[];
  readonly #found: CertificatePath[] = [];
  #checksLeft = MAX_SIGNATURE_CHECKS;

  constructor(intermediates: readonly X509Certificate[], anchors: readonly TrustAnchor[]) {
    this.#anchors = anchors.map(anchor => anchor.certificate);
    const anchorPrints = new Set(this.#anchors.map(anchor => anchor.fingerprint256));
    this.#intermediates = intermediates.filter(({ fingerprint256 }) => !anchorPrints.has(fingerprint256));
  }

  from(path: CertificatePath): CertificatePath[] {
    const last = path.at(-1) ?? path[0];
    if (this.#anchors.some(anchor => anchor.fingerprint256 === last.fingerprint256)) this.#found.push(path);
    for (const anchor of this.#anchors)
      if (canIssue(anchor) && this.#isIssuedBy(last, anchor) && this.#found.length < MAX_PATHS)
        this.#found.push([...path, anchor]);
    if (path.length < MAX_PATH_LENGTH) this.#throughIntermediates(path, last);
    return this.#found;
  }

  #throughIntermediates(path: CertificatePath, last: X509Certificate): void {
    for (const issuer of this.#intermediates) {
      if (this.#found.length >= MAX_PATHS) return;
      if (path.some(({ fingerprint256 }) => fingerprint256 === issuer.fingerprint256)) continue;
      if (issuer.ca && this.#isIssuedBy(last, issuer)) this.from([...path, issuer]);
    }
  }

  #isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
    if (!certificate.checkIssued(issuer)) return false;
    if (this.#checksLeft === 0) return false;
    this.#checksLeft -= 1;
    try {
      return certificate.verify(issuer.publicKey);
    } catch {
      // A key of a kind OpenSSL does not know signs nothing.
      return false;
    }
  }
}
