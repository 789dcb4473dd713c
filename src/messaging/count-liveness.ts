import type { Metrics } from '../telemetry/metrics.ts';
import { LIVENESS_STATES } from './member-liveness.ts';
import type { PeerEntry } from './peer-table.ts';

/** Shows how many peers are in each state of liveness, those in which none is too. */
export function countLiveness({ members }: Pick<Metrics, 'members'>, peers: readonly PeerEntry[]): void {
  for (const state of LIVENESS_STATES)
    members.set({ liveness: state }, peers.filter(({ liveness }) => liveness.state === state).length);
}
