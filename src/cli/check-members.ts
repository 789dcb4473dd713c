import { chooseTargets } from '../connector/dial-target.ts';
import { type ConfigProblem, isSelvedgeError } from '../errors/selvedge-error.ts';
import { formatAddress } from '../identity/address.ts';
import type { Member } from '../membership/member.ts';
import { loadMembersFile } from '../membership/members-file.ts';
import type { NodeSettings } from '../node/node-settings.ts';

export interface MembersReport {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
  /** Undefined without a members file, and where it is wrong. */
  readonly names: readonly string[] | undefined;
}

/** Reads the members file, and judges whether a node with these settings could live with it. */
export async function checkMembers({ membership, mode, nodeName }: NodeSettings): Promise<MembersReport> {
  if (membership === undefined) return { problems: [], warnings: [], names: undefined };
  const file = membership.membersFile;
  const members = await tryLoadMembers(file);
  if ('problems' in members) return { problems: members.problems, warnings: [], names: undefined };

  const { list } = members;
  const others = list.filter(({ name }) => name !== nodeName);
  return {
    problems: mode === 'strict' ? others.filter(member => !isDialledByStrict(member)).map(inPlaintextAlone(file)) : [],
    warnings:
      others.length < list.length || list.length === 0
        ? []
        : [`${file}: does not list ${nodeName} itself; nodes with the same file refuse it as not_a_member`],
    names: list.map(({ name }) => name),
  };
}

async function tryLoadMembers(
  file: string,
): Promise<{ list: readonly Member[] } | { problems: readonly ConfigProblem[] }> {
  try {
    return { list: await loadMembersFile(file) };
  } catch (error) {
    if (!isSelvedgeError(error, 'config_invalid')) throw error;
    return { problems: error.facts.problems };
  }
}

function isDialledByStrict({ addresses }: Member): boolean {
  try {
    return chooseTargets('strict', addresses).length > 0;
  } catch (error) {
    if (isSelvedgeError(error, 'refused')) return false;
    throw error;
  }
}

function inPlaintextAlone(file: string): (member: Member) => ConfigProblem {
  return ({ name, addresses }) => ({
    key: `member ${name}`,
    place: file,
    problem: `Only ${addresses.map(formatAddress).join(', ')} is listed, which the mode strict does not dial.`,
    remedy: 'List an https address, or one without a scheme, or stay in the mode optional until there is one.',
  });
}
