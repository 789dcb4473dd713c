import { readFile } from 'node:fs/promises';
import { parse, TomlError } from 'smol-toml';
import { type ConfigProblem, messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import type { Address } from '../identity/address.ts';
import { problemOfWeight, problemOfZone } from '../identity/node-labels.ts';
import { isNodeName } from '../identity/node-name.ts';
import type { Member } from './member.ts';
import { parseMemberAddress } from './member-address.ts';
import type { MembershipView } from './membership-source.ts';

/**
 * Reads a members file: TOML with `[[member]]` tables of `name`, `address` (a text or a list) and optional `labels`,
 * `zone`, `weight` and `draining`, and before them a list `removed` of names that are refused.
 * @throws config_invalid with every mistake in it.
 */
export async function loadMembersFile(file: string): Promise<MembershipView> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw invalid([{ key: '', place: file, problem: `cannot be read: ${messageOf(error)}`, remedy: '' }]);
  }
  return parseMembers(text, file);
}

/** @param place names the file in problems. @throws config_invalid with every mistake. */
export function parseMembers(text: string, place: string): MembershipView {
  const problems: ConfigProblem[] = [];
  const report = (key: string, problem: string, remedy = '') => problems.push({ key, place, problem, remedy });
  const root = readToml(text, place);
  for (const key of Object.keys(root)) {
    if (key !== 'member' && key !== 'removed')
      report(key, `unknown key ${key}`, 'A members file holds [[member]] tables and the list removed.');
  }
  const members = readMembers(root.member, report);
  const removed = readRemoved(root.removed, members, report);
  if (problems.length === 0 && members.length === 0)
    report('member', 'no member is listed', 'List at least this node; an empty file never means that everybody left.');
  if (problems.length > 0) throw invalid(problems);
  return { members, removed };
}

type Report = (key: string, problem: string, remedy?: string) => void;

function readToml(text: string, place: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    const where = error instanceof TomlError ? `${place}:${error.line}:${error.column}` : place;
    // The lines after the first repeat the file.
    const [first = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    const problem = `is not TOML: ${first.replace('Invalid TOML document: ', '')}`;
    throw invalid([{ key: '', place: where, problem, remedy: '' }]);
  }
}

function readMembers(value: unknown = [], report: Report): readonly Member[] {
  if (!Array.isArray(value)) {
    report('member', 'is not a list of tables', 'Write [[member]] with two brackets.');
    return [];
  }
  const members: Member[] = [];
  for (const [index, entry] of value.entries()) {
    const member = readMember(entry, `member[${index}]`, report);
    if (member === undefined) continue;
    if (members.some(other => other.name === member.name))
      report(`member[${index}].name`, `${member.name} is listed twice`);
    members.push(member);
  }
  return members;
}

/** The names that were taken out, sorted. */
function readRemoved(value: unknown = [], members: readonly Member[], report: Report): readonly string[] {
  if (!Array.isArray(value)) {
    report('removed', 'is not a list of names', 'Write removed = ["node-7"], before the first [[member]].');
    return [];
  }
  const removed = new Set<string>();
  for (const [index, name] of value.entries()) {
    const key = `removed[${index}]`;
    if (typeof name !== 'string' || !isNodeName(name)) report(key, 'is no node name');
    else if (removed.has(name)) report(key, `${name} is removed twice`);
    else if (members.some(member => member.name === name))
      report(
        key,
        `${name} is removed, and a member too`,
        'Take it out of this list, or take out its [[member]] table.',
      );
    else removed.add(name);
  }
  return [...removed].sort();
}

const MEMBER_KEYS = ['name', 'address', 'labels', 'zone', 'weight', 'draining'];

function readMember(entry: unknown, key: string, report: Report): Member | undefined {
  if (!isTable(entry)) {
    report(key, 'is not a table');
    return undefined;
  }
  for (const name of Object.keys(entry)) {
    if (!MEMBER_KEYS.includes(name))
      report(`${key}.${name}`, `unknown key ${name}`, `Known are ${MEMBER_KEYS.join(', ')}.`);
  }
  const name = entry.name;
  if (typeof name !== 'string' || !isNodeName(name)) report(`${key}.name`, 'is missing or no node name');
  const addresses = readAddresses(entry.address, `${key}.address`, report);
  const member = {
    addresses,
    labels: readLabels(entry.labels, `${key}.labels`, report),
    ...readZone(entry.zone, `${key}.zone`, report),
    ...readWeight(entry.weight, `${key}.weight`, report),
    ...readDraining(entry.draining, `${key}.draining`, report),
  };
  return typeof name === 'string' && isNodeName(name) && addresses.length > 0 ? { name, ...member } : undefined;
}

function readZone(value: unknown, key: string, report: Report): Pick<Member, 'zone'> {
  if (value === undefined) return {};
  const problem = typeof value === 'string' ? problemOfZone(value) : 'is not a text';
  if (problem === undefined) return { zone: String(value) };
  report(key, problem);
  return {};
}

function readWeight(value: unknown, key: string, report: Report): Pick<Member, 'weight'> {
  if (value === undefined) return {};
  const problem = problemOfWeight(value);
  if (problem === undefined) return { weight: Number(value) };
  report(key, problem);
  return {};
}

function readDraining(value: unknown, key: string, report: Report): Pick<Member, 'isDraining'> {
  if (value !== undefined && typeof value !== 'boolean') report(key, 'is neither true nor false');
  return value === true ? { isDraining: true } : {};
}

function readAddresses(value: unknown, key: string, report: Report): readonly Address[] {
  const texts = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(texts) || texts.length === 0) {
    report(key, 'is missing', 'Write address = "host:port" or a list of such texts.');
    return [];
  }
  return texts.flatMap(text => {
    try {
      if (typeof text !== 'string') throw new TypeError('is not a text');
      return [parseMemberAddress(text)];
    } catch (error) {
      report(key, messageOf(error));
      return [];
    }
  });
}

function readLabels(value: unknown, key: string, report: Report): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (isTable(value) && Object.values(value).every(label => typeof label === 'string'))
    return value as Record<string, string>;
  report(key, 'is not a table of texts');
  return {};
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function invalid(problems: readonly ConfigProblem[]): SelvedgeError<'config_invalid'> {
  const lines = problems.map(({ place, key, problem }) => `${place}: ${key === '' ? '' : `${key}: `}${problem}`);
  return new SelvedgeError('config_invalid', lines.join('\n'), { problems });
}
