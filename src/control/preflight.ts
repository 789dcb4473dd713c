import type { PeerEntry } from '../messaging/peer-table.ts';
import type { ModeObstacle } from '../rpc/control-messages.ts';
import type { ModeObstacleCode } from '../rpc/mode-obstacles.ts';

export interface PreflightFacts {
  readonly from: 'plain' | 'optional' | 'strict';
  readonly hasCredentials: boolean;
  readonly peers: readonly PeerEntry[];
  /** Open inbound connections without TLS, the admin socket not counted. */
  readonly plaintextInbound: number;
}

/**
 * What stands in the way of moving this node to a mode without cutting anybody off; empty: go. Only what this node sees
 * counts, so every node must be asked. Obstacles name members, never addresses.
 */
export function obstaclesTo(to: 'plain' | 'optional' | 'strict', facts: PreflightFacts): readonly ModeObstacle[] {
  const obstacles: ModeObstacle[] = [];
  if (to !== 'plain' && !facts.hasCredentials) obstacles.push(obstacle('no_credentials'));
  if (to === facts.from || to === 'optional') return obstacles;
  if (facts.from !== 'optional') obstacles.push(obstacle('not_the_next_mode'));
  // While the mode is optional everybody is watched; in another one the way leads through optional, where they are.
  const known = facts.peers.filter(({ state }) => facts.from === 'optional' || state !== 'idle');
  for (const peer of known) {
    const code = to === 'strict' ? againstStrict(peer) : againstPlain(peer);
    const detail = code === 'member_not_connected' ? (peer.reason ?? peer.state) : '';
    if (code !== undefined) obstacles.push(obstacle(code, peer.name, detail));
  }
  if (to === 'strict' && facts.plaintextInbound > 0)
    obstacles.push(obstacle('plaintext_connections', '', String(facts.plaintextInbound)));
  return obstacles;
}

function obstacle(code: ModeObstacleCode, nodeName = '', detail = ''): ModeObstacle {
  return { code, nodeName, detail };
}

function againstStrict(peer: PeerEntry): ModeObstacleCode | undefined {
  if (peer.state !== 'connected') return 'member_not_connected';
  if (peer.mode === 'plain') return 'member_in_plain';
  return peer.security?.kind === 'mutual_tls' ? undefined : 'member_without_mutual_tls';
}

function againstPlain(peer: PeerEntry): ModeObstacleCode | undefined {
  if (peer.state !== 'connected') return 'member_not_connected';
  return peer.mode === 'strict' ? 'member_in_strict' : undefined;
}
