import type { X509Certificate } from 'node:crypto';
import { messageOf } from '../errors/selvedge-error.ts';
import { type CertificateRevocationList, crlSteps } from '../identity/crl.ts';
import { splitPem } from '../identity/pem.ts';
import { atOnce, type Steps } from '../identity/steps.ts';
import { finishInSlices } from '../lifecycle/in-slices.ts';
import type { FileContent } from './credential-bytes.ts';
import type { CredentialProblem } from './credential-problem.ts';

/**
 * Who is revoked, answered per issuer. OpenSSL is not asked: given one CRL it demands one of every issuer and takes
 * no expired one, which would cut off every peer in the middle of a CA rollover.
 */
export class RevocationIndex {
  readonly #lists: readonly CertificateRevocationList[];
  readonly #byIssuer = new Map<string, readonly CertificateRevocationList[]>();

  /** Empty `lists`: nothing is revoked. */
  constructor(lists: readonly CertificateRevocationList[]) {
    this.#lists = lists;
  }

  /**
   * Whether a list that `issuer` really signed names `certificate`. Lists of others and forged ones say nothing; an
   * expired one keeps its entries; without a list of that issuer nothing is revoked.
   */
  isRevoked(certificate: X509Certificate, issuer: X509Certificate): boolean {
    return this.listsOf(issuer).some(list => list.revokes(certificate));
  }

  /** The lists that count for `issuer`: those that it really signed. */
  listsOf(issuer: X509Certificate): readonly CertificateRevocationList[] {
    if (this.#lists.length === 0) return [];
    const known = this.#byIssuer.get(issuer.fingerprint256);
    if (known !== undefined) return known;
    const lists = this.#lists.filter(list => list.isNamedFor(issuer) && list.isSignedBy(issuer));
    // A peer may present any number of issuers: those without a list are looked up again rather than remembered.
    if (lists.length > 0) this.#byIssuer.set(issuer.fingerprint256, lists);
    return lists;
  }
}

/** One list and where it lay. */
export interface LocatedCrl {
  readonly file: string;
  readonly list: CertificateRevocationList;
}

export interface CrlReading {
  readonly lists: readonly LocatedCrl[];
  readonly problems: readonly CredentialProblem[];
}

/** Every revocation list of the files: PEM (`X509 CRL`, any number a file) or one in DER. */
export function readCrlFiles(files: readonly FileContent[]): CrlReading {
  return atOnce(crlFileSteps(files));
}

/** As {@link readCrlFiles}, without holding up the event loop. */
export function readCrlFilesInSlices(files: readonly FileContent[]): Promise<CrlReading> {
  return finishInSlices(crlFileSteps(files));
}

function* crlFileSteps(files: readonly FileContent[]): Steps<CrlReading> {
  const lists: LocatedCrl[] = [];
  const problems: CredentialProblem[] = [];
  for (const { file, bytes } of files) {
    try {
      const found: LocatedCrl[] = [];
      for (const der of crlBlocksOf(bytes)) found.push({ file, list: yield* crlSteps(der) });
      if (found.length === 0) problems.push({ file, problem: 'holds no certificate revocation list' });
      lists.push(...found);
    } catch (error) {
      problems.push({ file, problem: messageOf(error) });
    }
  }
  return { lists, problems };
}

/** What is odd about the lists but keeps none of their entries from counting, or makes one of no effect. */
export function warningsOfCrls(
  lists: readonly LocatedCrl[],
  knownIssuers: readonly X509Certificate[],
  now: Date,
): string[] {
  return lists.flatMap(({ file, list }) => {
    const warnings: string[] = [];
    const named = knownIssuers.filter(issuer => list.isNamedFor(issuer));
    if (named.length === 0)
      warnings.push(
        `${file}: the CRL of ${list.issuer} is of none of the trust anchors; it counts only for a peer that presents that CA`,
      );
    else if (!named.some(issuer => list.isSignedBy(issuer)))
      warnings.push(`${file}: the CRL of ${list.issuer} is ignored: its signature is not by that CA`);
    if (list.nextUpdate !== undefined && list.nextUpdate < now)
      warnings.push(
        `${file}: the CRL of ${list.issuer} expired on ${list.nextUpdate.toISOString()}; its entries still count`,
      );
    if (list.thisUpdate > now)
      warnings.push(`${file}: the CRL of ${list.issuer} is dated in the future, ${list.thisUpdate.toISOString()}`);
    return warnings;
  });
}

function crlBlocksOf(bytes: Uint8Array): Uint8Array[] {
  const text = Buffer.from(bytes).toString('latin1');
  if (!text.includes('-----BEGIN ')) return [bytes];
  return splitPem(text).flatMap(({ label, der }) => (label === 'X509 CRL' || label === 'CRL' ? [der] : []));
}
