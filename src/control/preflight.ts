import type { PeerEntry } from '../messaging/peer-table.ts';

export interface PreflightFacts {
  readonly from: 'plain' | 'optional' | 'strict';
  readonly hasCredentials: boolean;
  readonly peers: readonly PeerEntry[];
  /** Open inbound connections without TLS, the admin socket not counted. */
  readonly plaintextInbound: number;
}

/**
 * What stands in the way of moving this node to a mode without cutting anybody off, one sentence each; empty: go.
 * Only what this node sees counts, so every node must be asked.
 */
export function obstaclesTo(to: 'plain' | 'optional' | 'strict', facts: PreflightFacts): readonly string[] {
  const obstacles: string[] = [];
  if (to !== 'plain' && !facts.hasCredentials) {
    obstacles.push('This node has no credentials: give it cert-file, key-file and ca-file in [networking.tls].');
  }
  if (to === facts.from || to === 'optional') return obstacles;
  if (facts.from !== 'optional') {
    obstacles.push(
      `From ${facts.from} the way to ${to} leads through optional: peers that are not there yet would be cut off.`,
    );
  }
  for (const peer of facts.peers) {
    const obstacle = to === 'strict' ? againstStrict(peer) : againstPlain(peer);
    if (obstacle !== undefined) obstacles.push(obstacle);
  }
  if (to === 'strict' && facts.plaintextInbound > 0) {
    obstacles.push(
      `${facts.plaintextInbound} plaintext connection(s) are open; \`selvedgectl connections\` shows whose.`,
    );
  }
  return obstacles;
}

function againstStrict(peer: PeerEntry): string | undefined {
  if (peer.state !== 'connected')
    return `${peer.name} is not connected (${peer.reason ?? peer.state}), so it is not known whether it speaks TLS.`;
  if (peer.mode === 'plain') return `${peer.name} is in mode plain and could not reach this node.`;
  if (peer.security?.kind !== 'mutual_tls') return `${peer.name} is connected without mutual TLS.`;
  return undefined;
}

function againstPlain(peer: PeerEntry): string | undefined {
  if (peer.state !== 'connected')
    return `${peer.name} is not connected (${peer.reason ?? peer.state}), so its mode is not known.`;
  return peer.mode === 'strict' ? `${peer.name} is in mode strict and would refuse this node.` : undefined;
}
