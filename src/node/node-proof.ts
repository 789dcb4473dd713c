import { isDeepStrictEqual } from 'node:util';
import { namesToProve } from '../connector/names-to-prove.ts';
import type { OutboundPolicy } from '../connector/trust-profile.ts';
import { isVouchedElsewhere } from '../connector/vouched-elsewhere.ts';
import type { TrustAnchor } from '../credentials/trust-anchors.ts';
import type { Address } from '../identity/address.ts';
import { matchIdentity } from '../identity/match-identity.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { NodeProof } from '../messaging/judge-hello.ts';
import type { SecurityKind } from '../rpc/security.ts';
import type { TlsSettings } from './node-settings.ts';

/** What a node is known by: its addresses as they would be dialled; none for one that is no member. */
interface Claimed {
  readonly name: string;
  readonly addresses: readonly Address[] | undefined;
}

/** What proofs rest on, all of this moment. */
export interface ProofStandard {
  readonly outbound: OutboundPolicy;
  /** Whom the listener trusts. */
  readonly anchors: readonly TrustAnchor[];
}

/** Whether a certificate proves the name that its holder claims. Without TLS there is nothing to prove it with. */
export function proofOf(
  claimed: Claimed,
  identity: PeerIdentity | undefined,
  security: SecurityKind,
  standard: ProofStandard,
): NodeProof {
  if (security === 'none') return { ok: true };
  const problem = unproven(claimed, identity, standard);
  return problem === undefined || problem === 'unchecked' ? { ok: true } : { ok: false, detail: problem };
}

/** The first of the members whose name the certificate proves; undefined where names are not bound to certificates. */
export function provenMember(
  members: readonly Claimed[],
  identity: PeerIdentity,
  standard: ProofStandard,
): string | undefined {
  return members.find(member => unproven(member, identity, standard) === undefined)?.name;
}

/** All members whose name the certificate proves; none where names are not bound to certificates. */
export function provenMembers(
  members: readonly Claimed[],
  identity: PeerIdentity,
  standard: ProofStandard,
): readonly string[] {
  return members.filter(member => unproven(member, identity, standard) === undefined).map(({ name }) => name);
}

function unproven(
  { name, addresses }: Claimed,
  identity: PeerIdentity | undefined,
  { outbound, anchors }: ProofStandard,
): string | undefined {
  const names = namesToProve(name, addresses, outbound);
  if (names === undefined) return 'unchecked';
  if (identity === undefined || matchIdentity(names, identity) === undefined)
    return `the certificate does not prove ${name}`;
  return isVouchedElsewhere(identity, addresses, outbound, anchors)
    ? `the certificate names ${name}, and only a CA of other destinations vouches for it`
    : undefined;
}

/** Whether it depends on its addresses which name a member must prove. */
export function proofsDependOnAddresses(tls: TlsSettings | undefined): boolean {
  return tls?.profiles.some(({ nodeIdentity }) => nodeIdentity !== tls.nodeIdentity) ?? false;
}

/** The names of those whose addresses are others than before. */
export function movedMembers(before: readonly Claimed[], after: readonly Claimed[]): ReadonlySet<string> {
  const known = new Map(before.map(({ name, addresses }) => [name, addresses]));
  return new Set(
    after.filter(({ name, addresses }) => !isDeepStrictEqual(known.get(name), addresses)).map(({ name }) => name),
  );
}
