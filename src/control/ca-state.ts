import { X509Certificate } from 'node:crypto';
import { findPaths } from '../credentials/certificate-path.ts';
import type { CredentialsStore } from '../credentials/credentials-store.ts';
import { anchorsFor, type TrustAnchor } from '../credentials/trust-anchors.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { splitPem } from '../identity/pem.ts';
import type { CaState, CaUsage } from '../rpc/ca-messages.ts';
import type { NodeFacts } from './node-facts.ts';

/**
 * The roots a node trusts and those that its own certificates come from, for each usage. Server and client are always
 * told apart, also where they share their credentials.
 */
export function caStateOf(node: Pick<NodeFacts, 'nodeName' | 'credentials'>): CaState {
  const used = node.credentials();
  const server = used.find(({ usage }) => usage === 'server');
  const isShared = server !== undefined && !used.some(({ usage }) => usage === 'client');
  const all = isShared ? [server, { ...server, usage: 'client' }, ...used.filter(each => each !== server)] : used;
  // Where servers and clients have certificates of different CAs, the anchors of one usage vouch for the leaf of the other.
  const anchors = used.flatMap(({ store }) => store.snapshot.value.anchors);
  return { nodeName: node.nodeName, usages: all.map(each => usageOf(each, anchors)), addressesRedacted: false };
}

function usageOf(
  { usage, store }: { readonly usage: string; readonly store: CredentialsStore },
  allAnchors: readonly TrustAnchor[],
): CaUsage {
  const snapshot = store.snapshot.value;
  const { identity } = snapshot.own;
  return {
    usage,
    trustGeneration: snapshot.generation,
    roots: anchorsFor(identity, snapshot.anchors).map(anchor => ({
      subject: anchor.identity.subject,
      fingerprintSha256: anchor.identity.fingerprint256,
      notAfterMs: anchor.identity.notAfter.getTime(),
    })),
    leafRoots: leafRootsOf(snapshot, anchorsFor(identity, allAnchors)),
  };
}

function leafRootsOf({ own }: TrustSnapshot, anchors: readonly TrustAnchor[]): readonly string[] {
  const [leaf, ...intermediates] = splitPem(own.chainPem).map(({ der }) => new X509Certificate(der));
  if (leaf === undefined) return own.anchors;
  const ends = findPaths(leaf, intermediates, anchors).map(path => (path.at(-1) ?? leaf).fingerprint256);
  return [...new Set([...own.anchors, ...ends.map(colons => colons.replaceAll(':', '').toLowerCase())])];
}
