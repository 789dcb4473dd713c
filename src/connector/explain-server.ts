import type { PeerChain, PeerVerdict } from '../credentials/judge-peer.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import type { TcpAddress } from '../identity/address.ts';
import { explainMatch, type MatchExplanation } from '../identity/match-identity.ts';
import { judgeServer } from './judge-server.ts';
import { securityFor } from './plan-dials.ts';
import { type OutboundPolicy, profileFor } from './trust-profile.ts';

/** Why a server is spoken to or not. */
export interface ServerExplanation {
  readonly verdict: PeerVerdict;
  /** Whom the profile trusts. */
  readonly trust: TrustSnapshot;
  /** Name of the profile that is for its address. */
  readonly profile: string;
  readonly kind: 'node_identity' | 'server_subject_names' | 'host';
  /** Patterns, one of which must match; the host alone where that is asked for. */
  readonly expected: readonly string[];
  /** Undefined where patterns are not asked, or nobody is known. */
  readonly match: MatchExplanation | undefined;
}

/** As the connector judges the server of a connection to `nodeName` at an address; undefined where no profile is for it. */
export function explainServer(
  nodeName: string,
  address: TcpAddress,
  chain: PeerChain,
  policy: OutboundPolicy,
  now: Date,
): ServerExplanation | undefined {
  const profile = profileFor(policy.profiles, address);
  const security = securityFor(nodeName, address, policy);
  if (profile === undefined || security === undefined) return undefined;
  const { expectation, denied = [] } = security;
  const trust = security.trust.value;
  const { host } = address;
  const verdict = judgeServer(chain, { trust, expectation, denied, host }, now);
  const facts = { verdict, trust, profile: profile.name };
  if (expectation.kind === 'host')
    return { ...facts, kind: 'host', expected: [expectation.name ?? host], match: undefined };
  return {
    ...facts,
    kind: profile.nodeIdentity === undefined ? 'server_subject_names' : 'node_identity',
    expected: expectation.patterns.map(({ text }) => text),
    match: verdict.identity && explainMatch(expectation.patterns, verdict.identity),
  };
}
