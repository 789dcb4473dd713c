import type { KeyObject, X509Certificate } from 'node:crypto';
import type { CertificateMarks } from '../identity/peer-identity.ts';
import { canIssue, type TrustAnchor } from './trust-anchors.ts';

/** From a leaf to a trust anchor: each certificate is issued and signed by the next; the anchor comes last. */
export type CertificatePath = readonly [leaf: X509Certificate, ...issuers: X509Certificate[]];

/** A CA may have cross-signed others in circles; beyond these the search stops. */
const MAX_PATH_LENGTH = 10;
const MAX_SIGNATURE_CHECKS = 24;
const MAX_PATHS = 8;

/** What a signature may cost to check: OpenSSL takes any exponent of an RSA key up to 3072 bits, and 10 ms or more for a long one. */
const MAX_RSA_MODULUS_BITS = 8_192;
const MAX_RSA_EXPONENT = 2n ** 32n;

/**
 * The ways from `leaf` through `intermediates` to one of `anchors`, those that reach an anchor sooner first, at most
 * eight. Names, key identifiers, CA flags and signatures are checked; dates, usages and revocation are not. Empty when
 * no anchor vouches for the leaf. A leaf that is an anchor itself is a path of one.
 *
 * The work is bounded whatever a peer presents: only the keys of anchors, and of CAs that they vouch for, check
 * signatures, and no more than 24 of them.
 */
export function findPaths(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  anchors: readonly TrustAnchor[],
): CertificatePath[] {
  const roots = anchors.map(({ certificate }) => certificate);
  const rootPrints = new Set(roots.map(({ fingerprint256 }) => fingerprint256));
  const others = new Map(intermediates.map(certificate => [certificate.fingerprint256, certificate]));
  for (const known of [leaf.fingerprint256, ...rootPrints]) others.delete(known);
  return pathsUp(leaf, rootPrints, vouchedIssuers(leaf, claimedIssuers(leaf, [...others.values()]), roots));
}

/** The marks of every CA certificate on the paths. */
export function vouchersOf(paths: readonly CertificatePath[]): readonly CertificateMarks[] {
  const issuers = new Map(paths.flatMap(([, ...issuers]) => issuers.map(issuer => [issuer.fingerprint256, issuer])));
  return [...issuers.values()].map(({ fingerprint256, serialNumber }) => ({
    fingerprint256: fingerprint256.replaceAll(':', '').toLowerCase(),
    serialNumber: serialNumber.toLowerCase(),
  }));
}

/** Who signed each certificate, by fingerprint, as far as the anchors vouch for the signer. */
type Issuers = ReadonlyMap<string, readonly X509Certificate[]>;

/** The CAs that the leaf may come from by the names alone, nearest first: nobody else's signature is worth a check. */
function claimedIssuers(leaf: X509Certificate, intermediates: readonly X509Certificate[]): readonly X509Certificate[] {
  const claimed = new Set<X509Certificate>();
  const unasked = [leaf];
  for (let subject = unasked.shift(); subject !== undefined; subject = unasked.shift())
    for (const issuer of intermediates)
      if (issuer.ca && !claimed.has(issuer) && subject.checkIssued(issuer)) {
        claimed.add(issuer);
        unasked.push(issuer);
      }
  return [...claimed];
}

/** From the anchors down: a CA whose certificate is signed by one that is vouched for is vouched for itself. */
function vouchedIssuers(
  leaf: X509Certificate,
  claimed: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
): Issuers {
  const issuers = new Map<string, X509Certificate[]>();
  const trusted = anchors.filter(canIssue);
  let checksLeft = MAX_SIGNATURE_CHECKS;
  const isSignedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean => {
    if (checksLeft === 0 || certificate === issuer || !certificate.checkIssued(issuer)) return false;
    checksLeft -= 1;
    return isSignedWith(certificate, issuer);
  };
  for (let issuer = trusted.shift(); issuer !== undefined; issuer = trusted.shift())
    for (const certificate of [leaf, ...claimed]) {
      if (!isSignedBy(certificate, issuer)) continue;
      const known = issuers.get(certificate.fingerprint256);
      if (known === undefined && certificate !== leaf) trusted.push(certificate);
      issuers.set(certificate.fingerprint256, [...(known ?? []), issuer]);
    }
  return issuers;
}

/** Breadth first, so that the shortest are found first. */
function pathsUp(leaf: X509Certificate, anchorPrints: ReadonlySet<string>, issuers: Issuers): CertificatePath[] {
  const found: CertificatePath[] = [];
  const open: CertificatePath[] = [[leaf]];
  for (let path = open.shift(); path !== undefined && found.length < MAX_PATHS; path = open.shift()) {
    const last = path.at(-1) ?? leaf;
    if (anchorPrints.has(last.fingerprint256)) found.push(path);
    if (path.length > MAX_PATH_LENGTH) continue;
    for (const issuer of issuers.get(last.fingerprint256) ?? [])
      if (!path.some(({ fingerprint256 }) => fingerprint256 === issuer.fingerprint256)) open.push([...path, issuer]);
  }
  return found;
}

function isSignedWith(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    const { publicKey } = issuer;
    return isOfBoundedCost(publicKey) && certificate.verify(publicKey);
  } catch {
    // A key of a kind OpenSSL does not know signs nothing.
    return false;
  }
}

/** The parameters of a curve that OpenSSL has no name for are the owner's choice. */
function isOfBoundedCost({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  const { modulusLength = 0, publicExponent = 0n, namedCurve } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === 'ec') return namedCurve !== undefined && namedCurve !== 'UNDEF';
  return modulusLength <= MAX_RSA_MODULUS_BITS && publicExponent <= MAX_RSA_EXPONENT;
}
