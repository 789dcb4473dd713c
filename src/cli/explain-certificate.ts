import { judgePeerCertificate } from '../credentials/judge-peer.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import { messageOf } from '../errors/selvedge-error.ts';
import { type DeniedCertificate, denialOf } from '../identity/denied-certificate.ts';
import { explainMatch, type PatternMatch } from '../identity/match-identity.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { splitPem } from '../identity/pem.ts';
import type { SubjectNamePattern } from '../identity/subject-name-pattern.ts';
import type { Role } from '../rpc/caller.ts';

/** What a node would say to a certificate. */
export interface Explanation {
  /** The file, as it was given. */
  readonly cert: string;
  readonly admitted: boolean;
  /** All that it would hold. */
  readonly roles: readonly Role[];
  /** What admitted it: the first match of the lists peer, admin, observer. */
  readonly matched: PatternMatch | null;
  readonly reason: RefusalReason | null;
  /** Why, in one sentence for the operator: it quotes patterns. */
  readonly detail: string;
}

/** Whom a node trusts, and whom it gives which role. */
export interface AdmissionRules {
  readonly trust: TrustSnapshot;
  /** Refused although the CA vouches for them. */
  readonly denied: readonly DeniedCertificate[];
  readonly lists: Readonly<Record<'peer' | 'admin' | 'observer', readonly SubjectNamePattern[]>>;
}

/**
 * Whether a node with these rules would let the holder of a certificate in, as a client, and as what. `content` is PEM
 * (leaf first, then intermediates) or the DER of one certificate.
 */
export function explainCertificate(cert: string, content: Uint8Array, rules: AdmissionRules, now: Date): Explanation {
  const refused = (reason: RefusalReason, detail: string): Explanation => ({
    cert,
    admitted: false,
    roles: [],
    matched: null,
    reason,
    detail,
  });
  const ders = certificatesOf(content);
  if (typeof ders === 'string') return refused('malformed_certificate', ders);
  const [leafDer, ...chain] = ders;
  if (leafDer === undefined) return refused('malformed_certificate', 'the file holds no certificate');

  const peer = { leafDer, chain, authorizationError: undefined };
  const verdict = judgePeerCertificate(peer, rules.trust, 'client', now);
  if (!verdict.ok) return refused(verdict.reason, verdict.detail);

  const denial = denialOf(rules.denied, verdict.identity);
  if (denial !== undefined) return refused(denial.reason, denial.detail);

  const matches = matchesByRole(rules.lists, verdict.identity);
  const [first] = matches;
  if (first === undefined) return refused('subject_not_allowed', describeNearest(rules.lists, verdict.identity));
  const { matched } = first;
  return {
    cert,
    admitted: true,
    roles: matches.map(({ role }) => role),
    matched,
    reason: null,
    detail: describeMatch(matched),
  };
}

function certificatesOf(content: Uint8Array): readonly Uint8Array[] | string {
  const text = Buffer.from(content).toString('latin1');
  if (!text.includes('-----BEGIN ')) return [content];
  try {
    return splitPem(text).flatMap(({ label, der }) =>
      label === 'CERTIFICATE' || label === 'X509 CERTIFICATE' ? [der] : [],
    );
  } catch (error) {
    return messageOf(error);
  }
}

function matchesByRole(
  lists: AdmissionRules['lists'],
  identity: PeerIdentity,
): { role: Role; matched: PatternMatch }[] {
  return (['peer', 'admin', 'observer'] as const).flatMap(role => {
    const explanation = explainMatch(lists[role], identity);
    return 'matched' in explanation ? [{ role, matched: explanation.matched }] : [];
  });
}

function describeMatch({ pattern, kind, value }: PatternMatch): string {
  if (kind === 'any') return '"*" admits every certificate of the CA';
  return `${JSON.stringify(pattern)} matches the ${kind} name ${JSON.stringify(value)}`;
}

function describeNearest({ peer, admin, observer }: AdmissionRules['lists'], identity: PeerIdentity): string {
  const explanation = explainMatch([...peer, ...admin, ...observer], identity);
  if ('matched' in explanation || explanation.nearest === undefined)
    return 'the CA vouches for it, but it bears no name of a kind that any pattern asks for';
  const { pattern, kind, value, why } = explanation.nearest;
  return `the CA vouches for it, but no pattern matches; the nearest is ${JSON.stringify(pattern)} for the ${kind} name ${JSON.stringify(value)}: ${why}`;
}
