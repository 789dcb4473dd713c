import { readFile } from 'node:fs/promises';
import { parse, TomlError } from 'smol-toml';
import { type ConfigProblem, messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import { type Address, isWildcardHost, parseAddress } from '../identity/address.ts';
import { isNodeName } from '../identity/node-name.ts';
import type { Member } from './member.ts';

/**
 * Reads a members file: TOML with `[[member]]` tables of `name`, `address` (a text or a list) and optional `labels`.
 * @throws config_invalid with every mistake in it.
 */
export async function loadMembersFile(file: string): Promise<readonly Member[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw invalid([{ key: '', place: file, problem: `cannot be read: ${messageOf(error)}`, remedy: '' }]);
  }
  return parseMembers(text, file);
}

/** @param place names the file in problems. @throws config_invalid with every mistake. */
export function parseMembers(text: string, place: string): readonly Member[] {
  const problems: ConfigProblem[] = [];
  const report = (key: string, problem: string, remedy = '') => problems.push({ key, place, problem, remedy });
  const members: Member[] = [];
  for (const [index, entry] of tablesOf(text, place, report).entries()) {
    const member = readMember(entry, `member[${index}]`, report);
    if (member === undefined) continue;
    if (members.some(other => other.name === member.name))
      report(`member[${index}].name`, `${member.name} is listed twice`);
    members.push(member);
  }
  if (problems.length === 0 && members.length === 0)
    report('member', 'no member is listed', 'List at least this node; an empty file never means that everybody left.');
  if (problems.length > 0) throw invalid(problems);
  return members;
}

type Report = (key: string, problem: string, remedy?: string) => void;

function tablesOf(text: string, place: string, report: Report): readonly unknown[] {
  let root: Record<string, unknown>;
  try {
    root = parse(text);
  } catch (error) {
    const where = error instanceof TomlError ? `${place}:${error.line}:${error.column}` : place;
    // The lines after the first repeat the file.
    const [first = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    const problem = `is not TOML: ${first.replace('Invalid TOML document: ', '')}`;
    throw invalid([{ key: '', place: where, problem, remedy: '' }]);
  }
  for (const key of Object.keys(root)) {
    if (key !== 'member') report(key, `unknown key ${key}`, 'A members file holds only [[member]] tables.');
  }
  const members = root.member ?? [];
  if (Array.isArray(members)) return members;
  report('member', 'is not a list of tables', 'Write [[member]] with two brackets.');
  return [];
}

function readMember(entry: unknown, key: string, report: Report): Member | undefined {
  if (!isTable(entry)) {
    report(key, 'is not a table');
    return undefined;
  }
  for (const name of Object.keys(entry)) {
    if (!['name', 'address', 'labels'].includes(name))
      report(`${key}.${name}`, `unknown key ${name}`, 'Known are name, address and labels.');
  }
  const name = entry.name;
  if (typeof name !== 'string' || !isNodeName(name)) report(`${key}.name`, 'is missing or no node name');
  const addresses = readAddresses(entry.address, `${key}.address`, report);
  const labels = readLabels(entry.labels, `${key}.labels`, report);
  return typeof name === 'string' && isNodeName(name) && addresses.length > 0 ? { name, addresses, labels } : undefined;
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
      const address = parseAddress(text);
      if (isWildcardHost(address) || (address.kind === 'tcp' && address.port === 0)) {
        throw new TypeError(`${text} cannot be dialled: name the host and the port of the member`);
      }
      return [address];
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
