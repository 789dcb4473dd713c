import type { StandingOf } from '../membership/membership.ts';
import type { MembershipSourceState } from '../rpc/control-messages.ts';

export function membershipSourceMessage({ kind, standing }: StandingOf): MembershipSourceState {
  if (standing.state === 'current') return { kind, state: 'current', sinceMs: 0, problem: '' };
  return { kind, state: 'frozen', sinceMs: standing.sinceMs, problem: standing.problem };
}
