import { type ConfigProblem, isSelvedgeError } from '../errors/selvedge-error.ts';
import { loadMembersFile } from '../membership/members-file.ts';
import type { MembershipView } from '../membership/membership-source.ts';
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
  const loaded = await tryLoadMembers(file);
  if ('problems' in loaded) return { problems: loaded.problems, warnings: [], names: undefined };

  const { members: list, removed } = loaded;
  const isRemoved = removed.includes(nodeName);
  const others = list.filter(({ name }) => name !== nodeName);
  return {
    problems: [
      ...(isRemoved ? [ownRemoval(file, nodeName)] : []),
      ...(mode === 'strict' ? membersOutOfReach(list, nodeName, file) : []),
    ],
    warnings: [
      ...(isRemoved || others.length < list.length || list.length === 0
        ? []
        : [`${file}: does not list ${nodeName} itself; nodes with the same file refuse it as not_a_member`]),
      ...checkProfiles({ tls, nodeName }, list),
    ],
    names: list.map(({ name }) => name),
  };
}

function ownRemoval(file: string, nodeName: string): ConfigProblem {
  const problem = `${nodeName} was removed from the cluster, and does not start.`;
  return { key: 'removed', place: file, problem, remedy: 'Take the name out when it is to come back.' };
}

async function tryLoadMembers(file: string): Promise<MembershipView | { readonly problems: readonly ConfigProblem[] }> {
  try {
    return await loadMembersFile(file);
  } catch (error) {
    if (!isSelvedgeError(error, 'config_invalid')) throw error;
    return { problems: error.facts.problems };
  }
}
