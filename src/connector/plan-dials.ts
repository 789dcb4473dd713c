import { isSelvedgeError, SelvedgeError } from '../errors/selvedge-error.ts';
import { type Address, formatAddress } from '../identity/address.ts';
import type { DialPlan, PlannedDial } from './dial-plan.ts';
import { chooseTargets, type DialTarget, targetKey } from './dial-target.ts';
import type { ServerExpectation } from './server-expectation.ts';
import { type OutboundPolicy, profileFor, type TrustProfile } from './trust-profile.ts';

/** What to dial for a member with these addresses, under the policy of the moment. Pure but for reading the snapshots. */
export function planDials(
  nodeName: string,
  addresses: readonly Address[] | undefined,
  policy: OutboundPolicy,
): DialPlan {
  if (addresses === undefined) {
    return { error: new SelvedgeError('member_unknown', `${nodeName} is not a member`, { node: nodeName }) };
  }
  try {
    const dials = chooseTargets(policy.mode, addresses).map(target => planOne(nodeName, target, policy));
    return { dials, mayKeepPlaintext: policy.mode !== 'strict' };
  } catch (error) {
    if (isSelvedgeError(error)) return { error };
    throw error;
  }
}

function planOne(nodeName: string, target: DialTarget, policy: OutboundPolicy): PlannedDial {
  if (target.scheme === 'http')
    return { target, security: { kind: 'none', reason: target.reason }, epoch: targetKey(target) };
  const profile = profileFor(policy.profiles, target.address);
  if (profile === undefined) throw noProfile(target);
  const expectation = expectationFor(nodeName, profile, policy);
  return {
    target,
    security: { kind: 'mutual_tls', trust: profile.trust, minVersion: policy.minVersion, expectation },
    epoch: [
      targetKey(target),
      profile.name,
      profile.trust.value.contentHash,
      policy.minVersion,
      keyOf(expectation),
    ].join(' '),
  };
}

function expectationFor(nodeName: string, profile: TrustProfile, policy: OutboundPolicy): ServerExpectation {
  if (policy.nodeIdentity !== undefined) return { kind: 'names', patterns: [policy.nodeIdentity(nodeName)] };
  if (profile.serverSubjectNames.length > 0) return { kind: 'names', patterns: profile.serverSubjectNames };
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
