import { type ConfigProblem, isSelvedgeError } from '../errors/selvedge-error.ts';
import type { Member } from '../membership/member.ts';
import { loadMembersFile } from '../membership/members-file.ts';
import { membersOutOfReach } from '../membership/unreachable-members.ts';
import type { NodeSettings } from '../node/node-settings.ts';
import { checkProfiles } from './check-profiles.ts';

export interface MembersReport {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
  /** Undefined without a members file, and where it is wrong. */
  readonly names: readonly string[] | undefined;
}

/** Reads the members file, and judges whether a node with these settings could live with it. */
export async function checkMembers({
  membership,
  mode,
  nodeName,
  tls,
}: Pick<NodeSettings, 'membership' | 'mode' | 'nodeName' | 'tls'>): Promise<MembersReport> {
  const source = membership?.sources.find(each => each.kind === 'file');
  if (source === undefined) return { problems: [], warnings: [], names: undefined };
  const file = source.membersFile;
  const members = await tryLoadMembers(file);
  if ('problems' in members) return { problems: members.problems, warnings: [], names: undefined };

  const { list } = members;
  const others = list.filter(({ name }) => name !== nodeName);
  return {
    problems: mode === 'strict' ? membersOutOfReach(list, nodeName, file) : [],
    warnings: [
      ...(others.length < list.length || list.length === 0
        ? []
        : [`${file}: does not list ${nodeName} itself; nodes with the same file refuse it as not_a_member`]),
      ...checkProfiles({ tls, nodeName }, list),
    ],
    names: list.map(({ name }) => name),
  };
}

async function tryLoadMembers(
  file: string,
): Promise<{ list: readonly Member[] } | { problems: readonly ConfigProblem[] }> {
  try {
    return { list: (await loadMembersFile(file)).members };
  } catch (error) {
    if (!isSelvedgeError(error, 'config_invalid')) throw error;
    return { problems: error.facts.problems };
  }
}
