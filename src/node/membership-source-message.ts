import type { MembershipSource } from '../membership/membership-source.ts';
import type { MembershipSourceState } from '../rpc/control-messages.ts';

export function membershipSourceMessage({ kind, standing, view }: MembershipSource): MembershipSourceState {
  const members = view.value.members.length;
  if (standing.value.state === 'current') return { kind, state: 'current', sinceMs: 0, problem: '', members };
  const { sinceMs, problem } = standing.value;
  return { kind, state: 'frozen', sinceMs, problem, members };
}
