import { type PeerIdentity, readPeerIdentity } from '../identity/peer-identity.ts';
import type { PeerUsage } from './certificate-usage.ts';
import { decidingPath } from './judge-peer.ts';
import { MAX_CHAIN_BYTES, type PeerChain } from './peer-chain.ts';
import type { TrustSnapshot } from './trust-snapshot.ts';

/** One certificate of a chain, for people. */
export interface ChainLink {
  readonly identity: PeerIdentity;
  /** Whether it is the trust anchor that vouches for the others. */
  readonly isAnchor: boolean;
}

/**
 * The certificates that the verdict on a peer follows from, the leaf first, the anchor last. Where no anchor vouches for
 * it: those that were presented, in their order, as far as they can be read; then none is an anchor.
 */
export function explainChain(
  peer: PeerChain,
  snapshot: TrustSnapshot | undefined,
  usage: PeerUsage,
  now: Date,
): readonly ChainLink[] {
  const path = snapshot && decidingPath(peer, snapshot, usage, now);
  if (path === undefined) return presented(peer);
  return path.map(({ raw }, depth) => ({ identity: readPeerIdentity(raw), isAnchor: depth === path.length - 1 }));
}

function presented({ leafDer, chain }: PeerChain): readonly ChainLink[] {
  let bytes = 0;
  return [leafDer, ...chain].flatMap(der => {
    bytes += der.length;
    const identity = bytes > MAX_CHAIN_BYTES ? undefined : tryRead(der);
    return identity === undefined ? [] : [{ identity, isAnchor: false }];
  });
}

function tryRead(der: Uint8Array): PeerIdentity | undefined {
  try {
    return readPeerIdentity(der);
  } catch {
    return undefined;
  }
}
