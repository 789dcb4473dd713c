import { knownAs, type PeerIdentity } from '../identity/peer-identity.ts';
import type { Expiring } from '../rpc/control-messages.ts';
import type { NodeFacts } from './node-facts.ts';

/** By fingerprint: the certificates this node has seen itself, its own, those of its CAs and those of connected peers. */
export function knownCertificates(node: Pick<NodeFacts, 'peers' | 'credentials'>): ReadonlyMap<string, PeerIdentity> {
  const ours = node.credentials().flatMap(({ store }) => {
    const { own, anchors } = store.snapshot.value;
    return [own.identity, ...own.intermediates, ...anchors.map(({ identity }) => identity)];
  });
  const theirs = node.peers().flatMap(({ identity }) => identity ?? []);
  return new Map([...ours, ...theirs].map(identity => [identity.fingerprint256, identity]));
}

/** Members tell a peer of certificates without their names, which this node knows where it has seen them. */
export function withKnownNames(expiring: Expiring, known: ReadonlyMap<string, PeerIdentity>): Expiring {
  const identity = known.get(expiring.fingerprintSha256);
  return identity === undefined ? expiring : { ...expiring, subject: identity.subject, identity: knownAs(identity) };
}
