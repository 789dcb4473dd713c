import type { ChainLink } from '../credentials/explain-chain.ts';
import type { NearMiss, PatternMatch } from '../identity/match-identity.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { CertificateNames, ChainCertificate, Explanation, NameMatch } from '../rpc/explain-messages.ts';

/** Of whom nothing is known: what an explanation begins from. */
export const NO_EXPLANATION: Explanation = {
  usage: 'client',
  connectionId: 0,
  direction: '',
  remoteAddress: '',
  security: '',
  nodeName: '',
  admitted: false,
  reason: '',
  detail: '',
  roles: [],
  matched: null,
  chain: [],
  names: null,
  rolePatterns: [],
  expectation: null,
  provesNodes: [],
  principal: '',
  methods: [],
  refusedAtMs: 0,
  refusedReason: '',
};

export function chainMessages(links: readonly ChainLink[]): readonly ChainCertificate[] {
  return links.map(({ identity, isAnchor }) => ({
    subject: identity.subject,
    issuer: identity.issuer,
    fingerprintSha256: identity.fingerprint256,
    serialNumber: identity.serialNumber,
    notBeforeMs: identity.notBefore.getTime(),
    notAfterMs: identity.notAfter.getTime(),
    isAnchor,
  }));
}

export function namesMessage({ commonName, dnsNames, uris, ipAddresses, spiffeId }: PeerIdentity): CertificateNames {
  return { commonName: commonName ?? '', dnsNames, uris, ipAddresses, spiffeId: spiffeId ?? '' };
}

export function matchMessage({ pattern, kind, value }: PatternMatch): NameMatch {
  return { pattern, kind, value, why: '' };
}

export function missMessage({ pattern, kind, value, why }: NearMiss): NameMatch {
  return { pattern, kind, value, why };
}

/** `"*"` admits every certificate of the CA. */
export function describeMatch({ pattern, kind, value }: PatternMatch): string {
  if (kind === 'any') return '"*" admits every certificate of the CA';
  return `${JSON.stringify(pattern)} matches the ${kind} name ${JSON.stringify(value)}`;
}

/** Of a certificate that is good but for its names. */
export function describeMiss(nearest: NearMiss | undefined): string {
  if (nearest === undefined) return 'the CA vouches for it, but it bears no name of a kind that any pattern asks for';
  const { pattern, kind, value, why } = nearest;
  return `the CA vouches for it, but no pattern matches; the nearest is ${JSON.stringify(pattern)} for the ${kind} name ${JSON.stringify(value)}: ${why}`;
}
