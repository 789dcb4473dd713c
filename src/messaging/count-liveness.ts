import type { Metrics } from '../telemetry/metrics.ts';
import { LIVENESS_STATES } from './member-liveness.ts';
import type { PeerEntry } from './peer-table.ts';

/** Shows how many peers are in each state of liveness, those in which none is too. */
export function countLiveness({ members }: Pick<Metrics, 'members'>, peers: readonly PeerEntry[]): void {
  const counts = new Map(LIVENESS_STATES.map(state => [state, 0]));
  for (const { liveness } of peers) counts.set(liveness.state, (counts.get(liveness.state) ?? 0) + 1);
  for (const [state, count] of counts) members.set({ liveness: state }, count);
}
