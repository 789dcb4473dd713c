import { isSelvedgeError, messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import type { Address } from '../identity/address.ts';
import { problemOfLabel, problemOfWeight, problemOfZone } from '../identity/node-labels.ts';
import { parseNodeName } from '../identity/node-name.ts';
import { quoted } from '../identity/quoted.ts';
import { parseMemberAddress } from './member-address.ts';
import type { MembershipChange } from './membership-editor.ts';

const MAX_ADDRESSES = 32;
const MAX_LABELS = 64;

/** What is said of a node that is to be a member; all of it as it was written. */
export interface Addition {
  readonly name: string;
  /** Empty: where the node itself says it is, or as it was. */
  readonly addresses: readonly string[];
  /** Undefined or empty, here and below: as it is. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly zone?: string | undefined;
  readonly weight?: number | undefined;
}

/** The change that adds a member. @throws usage with everything that is wrong, one sentence each. */
export function parseAddition({ name, addresses, labels = {}, zone = '', weight }: Addition): MembershipChange {
  const problems: string[] = [...problemsOfName(name)];
  const parsed = addresses.flatMap(text => tryParse(() => parseMemberAddress(text), problems));
  if (addresses.length > MAX_ADDRESSES) problems.push(`A member has at most ${MAX_ADDRESSES} addresses.`);
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) problems.push(`At most ${MAX_LABELS} labels can be given.`);
  for (const [label, value] of entries) {
    const problem = problemOfLabel(label, value);
    if (problem !== undefined) problems.push(`Label ${quoted(label)}: ${problem}`);
  }
  if (zone !== '') problems.push(...asList(problemOfZone(zone)));
  if (weight !== undefined) problems.push(...asList(problemOfWeight(weight)));
  throwIfAny(problems);
  return {
    kind: 'add',
    name,
    addresses: parsed,
    ...(entries.length === 0 ? {} : { labels }),
    ...(zone === '' ? {} : { zone }),
    ...(weight === undefined ? {} : { weight }),
  };
}

/** A change that needs a name alone. @throws usage */
export function parseNamedChange(kind: 'drain' | 'remove' | 'terminate', name: string): MembershipChange {
  throwIfAny(problemsOfName(name));
  return { kind, name };
}

function problemsOfName(name: string): readonly string[] {
  const problems: string[] = [];
  tryParse(() => parseNodeName(name), problems);
  return problems;
}

function tryParse<T extends string | Address>(parse: () => T, problems: string[]): readonly T[] {
  try {
    return [parse()];
  } catch (error) {
    if (!isSelvedgeError(error) && !(error instanceof TypeError)) throw error;
    problems.push(messageOf(error).replace(/\.?$/, '.'));
    return [];
  }
}

function asList(problem: string | undefined): readonly string[] {
  return problem === undefined ? [] : [problem];
}

function throwIfAny(problems: readonly string[]): void {
  if (problems.length > 0) throw new SelvedgeError('usage', problems.join(' '), { problem: problems.join(' ') });
}
