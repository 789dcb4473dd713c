import { X509Certificate } from 'node:crypto';
import type { CertificateRevocationList } from '../identity/crl.ts';
import { splitPem } from '../identity/pem.ts';
import type { CheckedCredentials } from './check-credentials.ts';
import type { CredentialBytes } from './credential-bytes.ts';
import type { CredentialProblem } from './credential-problem.ts';
import type { OwnCertificate } from './own-certificate.ts';
import type { RevocationIndex } from './revocation.ts';

/**
 * What a new set of credentials would lose that the one in use has; empty: nothing. Each of these is legitimate where it
 * was so from the start (another CA for clients than for servers, a certificate that only dials), so a first set may be
 * so; but a set that *becomes* so is a mistake that would cut this node off.
 */
export function regressionsOf(
  current: OwnCertificate,
  next: OwnCertificate,
  { cert, ca }: Pick<CredentialBytes, 'cert' | 'ca'>,
): CredentialProblem[] {
  const problems: CredentialProblem[] = [];
  const report = (problem: string): void => void problems.push({ file: cert.file, problem });
  if (current.anchors.length > 0 && next.anchors.length === 0) {
    const places = ca.map(({ file }) => file).join(', ');
    // The same certificate: then it is the anchors that are others.
    if (current.identity.fingerprint256 === next.identity.fingerprint256)
      problems.push({
        file: places,
        problem: `none of these trust anchors vouches for our own certificate ${cert.file}, and one of those in use does`,
      });
    else
      report(
        `none of our own trust anchors (${places}) vouches for the certificate, and one does for the certificate in use`,
      );
  }
  for (const usage of ['server', 'client'] as const)
    if (current.usages.includes(usage) && !next.usages.includes(usage))
      report(`the extended key usage lacks ${usage}Auth, which the certificate in use has`);
  return problems;
}

/**
 * Whom a new set would take revocations back of that are in use; empty: nobody. A list that is gone, of another key or
 * older than the one in use (RFC 5280 5.2.3) would let those in again whom it named, and say so in a warning alone. Issuers
 * are the new anchors and our own intermediates: whom nobody trusts any more needs no list.
 */
export function lostRevocationsOf(
  current: RevocationIndex,
  { anchors, own, revocations }: Pick<CheckedCredentials, 'anchors' | 'own' | 'revocations'>,
  file: string,
): CredentialProblem[] {
  const intermediates = splitPem(own.chainPem).slice(1);
  const issuers = [
    ...anchors.map(({ certificate }) => certificate),
    ...intermediates.map(({ der }) => new X509Certificate(der)),
  ];
  const problems = issuers.flatMap(issuer => {
    const [before, after] = [current.listsOf(issuer), revocations.listsOf(issuer)];
    const name = before[0]?.issuer;
    if (name === undefined) return [];
    if (after.length === 0) return [`no CRL of ${name} is left that it signed, and one is in use`];
    const [numberBefore, number] = [newestOf(before), newestOf(after)];
    if (numberBefore === undefined || number === undefined || number >= numberBefore) return [];
    return [`the CRL of ${name} has the number ${number}, and the one in use is newer: ${numberBefore}`];
  });
  return [...new Set(problems)].map(problem => ({ file, problem }));
}

function newestOf(lists: readonly CertificateRevocationList[]): bigint | undefined {
  const numbers = lists.flatMap(({ crlNumber }) => crlNumber ?? []);
  return numbers.length === 0 ? undefined : numbers.reduce((a, b) => (a > b ? a : b));
}
