import { isDeepStrictEqual } from 'node:util';
import { namesToProve } from '../connector/names-to-prove.ts';
import type { OutboundPolicy } from '../connector/trust-profile.ts';
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

/** Whether a certificate proves the name that its holder claims. Without TLS there is nothing to prove it with. */
export function proofOf(
  { name, addresses }: Claimed,
  identity: PeerIdentity | undefined,
  security: SecurityKind,
  policy: OutboundPolicy,
): NodeProof {
  if (security === 'none') return { ok: true };
  const names = namesToProve(name, addresses, policy);
  if (names === undefined) return { ok: true };
  if (identity !== undefined && matchIdentity(names, identity) !== undefined) return { ok: true };
  return { ok: false, detail: `the certificate does not prove ${name}` };
}

/** The first of the members whose name the certificate proves; undefined where names are not bound to certificates. */
export function provenMember(
  members: readonly Claimed[],
  identity: PeerIdentity,
  policy: OutboundPolicy,
): string | undefined {
  return members.find(({ name, addresses }) => {
    const names = namesToProve(name, addresses, policy);
    return names !== undefined && matchIdentity(names, identity) !== undefined;
  })?.name;
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
