import { type ConfigProblem, SelvedgeError } from '../errors/selvedge-error.ts';
import type { Member } from '../membership/member.ts';
import { membersOutOfReach } from '../membership/unreachable-members.ts';
import type { OpenSource } from './node-membership.ts';
import type { NodeSettings } from './node-settings.ts';

type Reaching = Pick<NodeSettings, 'mode' | 'nodeName'>;

/**
 * @param place names the source in problems.
 * @throws config_invalid when a node with these settings could never reach a member.
 */
export function checkReachable({ mode, nodeName }: Reaching, members: readonly Member[], place: string): void {
  const problems = mode === 'strict' ? membersOutOfReach(members, nodeName, place) : [];
  if (problems.length === 0) return;
  const lines = problems.map(({ key, problem, remedy }) => `${place}: ${key}: ${problem} ${remedy}`);
  throw new SelvedgeError('config_invalid', lines.join('\n'), { problems });
}

/** The same of all sources that people write. @throws config_invalid */
export function checkSourcesReachable(settings: Reaching, sources: readonly OpenSource[]): void {
  for (const { members, file } of writtenIn(sources)) checkReachable(settings, members, file);
}

/** Members that a node in strict could never reach, of sources that people write. */
export function outOfReach(nodeName: string, sources: readonly OpenSource[]): readonly ConfigProblem[] {
  return writtenIn(sources).flatMap(({ members, file }) => membersOutOfReach(members, nodeName, file));
}

/** What a member says of itself, in etcd or when it is asked, holds nobody up: whoever may be a member could do that. */
function writtenIn(sources: readonly OpenSource[]) {
  return sources.flatMap(({ settings, source }) =>
    settings.kind === 'file' ? [{ members: source.view.value.members, file: settings.membersFile }] : [],
  );
}
