import { isSelvedgeError, SelvedgeError } from '../errors/selvedge-error.ts';
import { type Address, formatAddress, type TcpAddress } from '../identity/address.ts';
import type { DialPlan, PlannedDial } from './dial-plan.ts';
import { chooseTargets, type DialTarget, targetKey } from './dial-target.ts';
import type { ChannelSecurity } from './fabric-channel-credentials.ts';
import type { ServerExpectation } from './server-expectation.ts';
import { type OutboundPolicy, profileFor, type TrustProfile } from './trust-profile.ts';

type MutualTlsSecurity = Extract<ChannelSecurity, { kind: 'mutual_tls' }>;

/**
 * What to dial for a member with these addresses, under the policy of the moment. Pure but for reading the snapshots.
 * @param tlsOnly no call to it may stay in plaintext, not even until TLS is ready.
 */
export function planDials(
  nodeName: string,
  addresses: readonly Address[] | undefined,
  policy: OutboundPolicy,
  tlsOnly = false,
): DialPlan {
  if (addresses === undefined) {
    return { error: new SelvedgeError('member_unknown', `${nodeName} is not a member`, { node: nodeName }) };
  }
  try {
    const dials = chooseTargets(policy.mode, addresses).map(target => planOne(nodeName, target, policy));
    return { dials, mayKeepPlaintext: policy.mode !== 'strict' && !tlsOnly };
  } catch (error) {
    if (isSelvedgeError(error)) return { error };
    throw error;
  }
}

/** How connections to `nodeName` at an address are secured under `policy`; undefined where no profile is for it. */
export function securityFor(
  nodeName: string,
  address: TcpAddress,
  policy: OutboundPolicy,
): MutualTlsSecurity | undefined {
  const profile = profileFor(policy.profiles, address);
  if (profile === undefined) return undefined;
  const { minVersion, denied } = policy;
  return {
    kind: 'mutual_tls',
    trust: profile.trust,
    minVersion,
    expectation: expectationFor(nodeName, profile),
    denied,
  };
}

function planOne(nodeName: string, target: DialTarget, policy: OutboundPolicy): PlannedDial {
  if (target.scheme === 'http')
    return { target, security: { kind: 'none', reason: target.reason }, epoch: targetKey(target), standard: '' };
  const security = securityFor(nodeName, target.address, policy);
  if (security === undefined) throw noProfile(target);
  const { own, contentHash } = security.trust.value;
  const shown = [own.identity, ...own.intermediates].map(({ fingerprint256 }) => fingerprint256);
  return {
    target,
    security,
    epoch: [targetKey(target), policy.minVersion, ...shown].join(' '),
    standard: [contentHash, keyOf(security.expectation), ...policy.denied.map(({ text }) => text)].join(' '),
  };
}

function expectationFor(nodeName: string, { nodeIdentity, serverSubjectNames }: TrustProfile): ServerExpectation {
  if (nodeIdentity !== undefined) return { kind: 'names', patterns: [nodeIdentity(nodeName)] };
  if (serverSubjectNames.length > 0) return { kind: 'names', patterns: serverSubjectNames };
  return { kind: 'host' };
}

function keyOf(expectation: ServerExpectation): string {
  return expectation.kind === 'host'
    ? `host ${expectation.name ?? ''}`
    : expectation.patterns.map(pattern => pattern.text).join(',');
}

function noProfile(target: DialTarget): SelvedgeError<'refused'> {
  const detail = `no credentials are configured for ${formatAddress(target.address)}`;
  return new SelvedgeError('refused', `no_usable_address: ${detail}`, {
    reason: 'no_usable_address',
    by: 'us',
    detail,
  });
}
