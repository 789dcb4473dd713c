import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { Member } from '../membership/member.ts';
import { membersOutOfReach } from '../membership/unreachable-members.ts';
import type { NodeSettings } from './node-settings.ts';

/**
 * @param place names the source in problems.
 * @throws config_invalid when a node with these settings could never reach a member.
 */
export function checkReachable(
  { mode, nodeName }: Pick<NodeSettings, 'mode' | 'nodeName'>,
  members: readonly Member[],
  place: string,
): void {
  const problems = mode === 'strict' ? membersOutOfReach(members, nodeName, place) : [];
  if (problems.length === 0) return;
  const lines = problems.map(({ key, problem, remedy }) => `${place}: ${key}: ${problem} ${remedy}`);
  throw new SelvedgeError('config_invalid', lines.join('\n'), { problems });
}

/** Names the sources of a node in problems. */
export function membershipPlace({ membership }: Pick<NodeSettings, 'membership'>): string {
  const places = membership?.sources.map(source => (source.kind === 'file' ? source.membersFile : source.kind)) ?? [];
  return places.join(', ');
}
