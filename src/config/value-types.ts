import { resolve } from 'node:path';
import { TomlDate } from 'smol-toml';
import { withoutKey } from '../identity/quoted.ts';
import { parseDuration } from './duration.ts';

/** What is wrong with a value; `index` names the element of a list. */
export interface ValueProblem {
  readonly problem: string;
  readonly remedy: string;
  readonly index?: number;
}

export type ReadValue<V> = { readonly value: V } | { readonly problems: readonly ValueProblem[] };

/** How the value of a key is written in TOML, and what it becomes. */
export interface ValueType<V> {
  /** For people: `duration`, `text or list of texts`. */
  readonly name: string;
  /** @param baseDir where relative paths begin. Never throws. */
  read(raw: unknown, baseDir: string): ReadValue<V>;
}

export const text: ValueType<string> = {
  name: 'text',
  read: raw => (typeof raw === 'string' ? { value: raw } : wrongType(raw, 'a text', 'Write it in quotes.')),
};

/** `host:port`, of what is never a unix socket. */
export const hostPort: ValueType<string> = { ...text, name: 'host and port' };

/** A list of texts; one text stands for a list of one. */
export const textList: ValueType<readonly string[]> = listOf('text or list of texts', element => element);

/** A path, made absolute. An empty text stays empty, so that it is not taken for the directory of the file. */
export const path: ValueType<string> = {
  name: 'path',
  read: (raw, baseDir) => {
    const read = text.read(raw, baseDir);
    return 'value' in read ? { value: absolute(read.value, baseDir) } : read;
  },
};

export const pathList: ValueType<readonly string[]> = listOf('path or list of paths', absolute);

/** `host:port` or `unix:/path`, where a relative path is made absolute. */
export const bindAddress: ValueType<string> = {
  name: 'address',
  read: (raw, baseDir) => {
    const read = text.read(raw, baseDir);
    return 'value' in read ? { value: absoluteSocket(read.value, baseDir) } : read;
  },
};

/** `unix:///path`, `unix:/path` or a path, which is made absolute. What has another scheme stays as it is. */
export const socketPath: ValueType<string> = {
  name: 'path of a socket',
  read: (raw, baseDir) => {
    const read = text.read(raw, baseDir);
    if (!('value' in read) || /^(?!unix:)[a-z][a-z0-9+.-]*:/i.test(read.value)) return read;
    return { value: absolute(read.value.replace(/^unix:(?:\/\/(?=\/))?/, ''), baseDir) };
  },
};

export const addressList: ValueType<readonly string[]> = listOf('address or list of addresses', absoluteSocket);

/** Milliseconds, written as a number and a unit. */
export const duration: ValueType<number> = {
  name: 'duration',
  read: raw => {
    const ms = typeof raw === 'string' ? parseDuration(raw) : undefined;
    if (ms !== undefined) return { value: ms };
    return wrongType(raw, 'a duration', 'Write a number and a unit, ms, s, m or h, in quotes: "30s".');
  },
};

export const count: ValueType<number> = {
  name: 'whole number',
  read: raw =>
    typeof raw === 'number' && Number.isInteger(raw)
      ? { value: raw }
      : wrongType(raw, 'a whole number', 'Write it without quotes: 10000.'),
};

export const flag: ValueType<boolean> = {
  name: 'true or false',
  read: raw =>
    typeof raw === 'boolean' ? { value: raw } : wrongType(raw, 'true or false', 'Write true or false, without quotes.'),
};

/** A moment, written as an offset date-time of TOML. */
export const moment: ValueType<Date> = {
  name: 'offset date-time',
  read: raw =>
    raw instanceof TomlDate && raw.isDateTime() && !raw.isLocal() && !Number.isNaN(raw.getTime())
      ? { value: new Date(raw.getTime()) }
      : wrongType(raw, 'a date and time with its zone', 'Write it without quotes: 2027-01-31T12:00:00Z.'),
};

export const textMap: ValueType<Readonly<Record<string, string>>> = {
  name: 'table of texts',
  read: raw => {
    if (!isTable(raw)) return wrongType(raw, 'a table of texts', 'Write { role = "worker" }.');
    const entries: [string, string][] = [];
    const problems: ValueProblem[] = [];
    for (const [key, value] of Object.entries(raw)) {
      if (typeof value === 'string') entries.push([key, value]);
      else problems.push({ problem: `${describe(value)} is not a text, in ${key}.`, remedy: 'Write it in quotes.' });
    }
    return problems.length > 0 ? { problems } : { value: Object.fromEntries(entries) };
  },
};

/** One of a closed list of words. */
export function oneOf<Word extends string>(words: readonly Word[]): ValueType<Word> {
  return {
    name: words.map(word => `\`"${word}"\``).join(', '),
    read: raw => {
      const value = words.find(word => word === raw);
      if (value !== undefined) return { value };
      const remedy = `Use ${words.map(word => `"${word}"`).join(', ')}.`;
      return { problems: [{ problem: `${describe(raw)} is not a known value.`, remedy }] };
    },
  };
}

/** A list of words of a closed list; one word stands for a list of one. */
export function listOfWords<Word extends string>(words: readonly Word[]): ValueType<readonly Word[]> {
  const word = oneOf(words);
  return {
    name: `list of ${word.name}`,
    read: (raw, baseDir) => {
      const elements: readonly unknown[] = Array.isArray(raw) ? raw : [raw];
      const read = elements.map(element => word.read(element, baseDir));
      const problems = read.flatMap((element, index) =>
        'problems' in element ? element.problems.map(problem => ({ ...problem, index })) : [],
      );
      if (problems.length === 0) return { value: read.flatMap(element => ('value' in element ? [element.value] : [])) };
      return { problems: Array.isArray(raw) ? problems : problems.map(({ index: _, ...problem }) => problem) };
    },
  };
}

export function isTable(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw) && !(raw instanceof Date);
}

/** A value as a person would write it, cut short. */
export function describe(raw: unknown): string {
  if (raw instanceof Date) return `The date ${raw.toISOString()}`;
  const written = JSON.stringify(raw) ?? String(raw);
  if (withoutKey(written) !== written) return 'The value';
  return written.length > 60 ? `${written.slice(0, 60)}…` : written;
}

function listOf(name: string, convert: (element: string, baseDir: string) => string): ValueType<readonly string[]> {
  return {
    name,
    read: (raw, baseDir) => {
      if (typeof raw === 'string') return { value: [convert(raw, baseDir)] };
      if (!Array.isArray(raw)) return wrongType(raw, 'a text or a list of texts', 'Write "…" or ["…", "…"].');
      const elements: readonly unknown[] = raw;
      const value = elements.filter(element => typeof element === 'string');
      if (value.length === elements.length) return { value: value.map(element => convert(element, baseDir)) };
      return {
        problems: elements.flatMap((element, index) =>
          typeof element === 'string'
            ? []
            : [{ index, problem: `${describe(element)} is not a text.`, remedy: 'Write it in quotes.' }],
        ),
      };
    },
  };
}

function absolute(written: string, baseDir: string): string {
  return written === '' ? written : resolve(baseDir, written);
}

function absoluteSocket(written: string, baseDir: string): string {
  const match = /^unix:(?!\/)(.+)$/.exec(written);
  return match?.[1] === undefined ? written : `unix:${resolve(baseDir, match[1])}`;
}

function wrongType(raw: unknown, expected: string, remedy: string): { readonly problems: readonly ValueProblem[] } {
  return { problems: [{ problem: `${describe(raw)} is not ${expected}.`, remedy }] };
}
