import type { CredentialBytes } from './credential-bytes.ts';
import type { CredentialProblem } from './credential-problem.ts';
import type { OwnCertificate } from './own-certificate.ts';

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
