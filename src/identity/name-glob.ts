import { Minimatch } from 'minimatch';

/** Ends the parsing of a pattern with a problem in words for the user. */
export type Refuse = (problem: string) => never;

/** A glob over the labels of a name (separated by `.`) or the segments of a path (separated by `/`). */
export interface NameGlob {
  readonly separator: '.' | '/';
  readonly parts: readonly PartGlob[];
  /** Where one or more further parts may stand: before (`**.`) or after (`/**`) the others. */
  readonly more: 'before' | 'after' | undefined;
}

interface PartGlob {
  readonly text: string;
  readonly matches: (part: string) => boolean;
}

/** Why a value does not match, and how much of it did (0 to 1), to find the nearest pattern. */
export interface Mismatch {
  readonly agreement: number;
  readonly why: string;
}

const PART_NAMES = { '.': 'label', '/': 'segment' } as const;

/**
 * Reads a glob. `*` stands for any run of characters inside one part; a part that is `*` alone needs at least one;
 * a leading `**.` or a trailing `/**` stands for one or more parts. `**` anywhere else is refused.
 */
export function parseNameGlob(text: string, separator: '.' | '/', refuse: Refuse): NameGlob {
  const parts = text.split(separator);
  const more = takeMore(parts, separator);
  if (parts.some(part => part.includes('**')))
    refuse(
      separator === '.'
        ? '"**" may only stand as the first label, as in "**.example.com"'
        : '"**" may only stand as the last segment, as in "spiffe://prod/fabric/**"',
    );
  return { separator, parts: parts.map(partGlob), more };
}

/** Compares the parts of a value with the glob; undefined when they match. */
export function compareParts(glob: NameGlob, values: readonly string[]): Mismatch | undefined {
  const { parts, more } = glob;
  const part = PART_NAMES[glob.separator];
  const extra = values.length - parts.length;
  const offset = more === 'before' ? Math.max(0, extra) : 0;
  const agreeing = parts.filter((glob, i) => glob.matches(values[i + offset] ?? '')).length;
  const agreement = agreeing / Math.max(parts.length, values.length, 1);
  if (more === undefined ? extra !== 0 : extra < 1) {
    const wanted = more === undefined ? parts.length : `${parts.length + 1} or more`;
    return { agreement, why: `it has ${count(values.length, part)} where the pattern takes ${wanted}` };
  }
  for (const [i, glob] of parts.entries()) {
    const value = values[i + offset] ?? '';
    if (!glob.matches(value))
      return {
        agreement,
        why: `${part} ${i + offset + 1} is ${JSON.stringify(value)} where the pattern has ${JSON.stringify(glob.text)}`,
      };
  }
  const further = more === 'before' ? values.slice(0, offset) : values.slice(parts.length);
  if (!further.every(isOrdinary)) return { agreement, why: `"**" stands for ${part}s that are neither empty nor dots` };
  return undefined;
}

function takeMore(parts: string[], separator: '.' | '/'): 'before' | 'after' | undefined {
  if (separator === '.' && parts.length > 1 && parts[0] === '**') {
    parts.shift();
    return 'before';
  }
  if (separator === '/' && parts.at(-1) === '**') {
    parts.pop();
    return 'after';
  }
  return undefined;
}

function partGlob(text: string): PartGlob {
  if (!text.includes('*')) return { text, matches: value => value === text };
  // Every other meaning minimatch knows is off; what the grammar refuses never gets here.
  const glob = new Minimatch(withoutSlashes(text), {
    dot: true,
    nobrace: true,
    nocomment: true,
    noext: true,
    noglobstar: true,
    nonegate: true,
    platform: 'linux',
  });
  return { text, matches: value => isOrdinary(value) && glob.match(withoutSlashes(value)) };
}

/** A wildcard never stands for an empty part, for `.` or `..`, or for control characters. */
function isOrdinary(part: string): boolean {
  return part !== '' && part !== '.' && part !== '..' && !/\p{Cc}/u.test(part);
}

/** The label of a CN may hold slashes, where minimatch would split; a NUL is in no pattern and in no value that gets here. */
function withoutSlashes(text: string): string {
  return text.replaceAll('/', '\u0000');
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
