import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from './source-files.ts';

/** One line of the table of rooms. */
export interface DocumentedRoom {
  readonly name: string;
  /** Rooms that it may import, those that everybody may import left out. */
  readonly mayImport: readonly string[];
}

/** One line of the table of dependencies. */
export interface DocumentedDependency {
  readonly name: string;
  /** Files below `src`, and rooms with `/` at their end. */
  readonly namedIn: readonly string[];
}

/** The rooms as `docs/ARCHITECTURE.md` has them, from the top down. */
export function documentedRooms(): readonly DocumentedRoom[] {
  return rowsOf('docs/ARCHITECTURE.md', 'room').map(([room = '', , mayImport = '']) => ({
    name: codeOf(room)[0]?.replace(/\/$/, '') ?? '',
    mayImport: mayImport === '-' ? [] : mayImport.split(',').map(name => name.trim()),
  }));
}

/** The dependencies as `docs/dependencies.md` has them. */
export function documentedDependencies(): readonly DocumentedDependency[] {
  return rowsOf('docs/dependencies.md', 'dependency').map(([dependency = '', namedIn = '']) => ({
    name: codeOf(dependency)[0] ?? '',
    namedIn: codeOf(namedIn),
  }));
}

/** The columns of the table of methods: roles, and `anonymous` over plaintext and over TLS without a certificate. */
export const METHOD_COLUMNS = ['peer', 'admin', 'observer', 'local', 'plaintext', 'tls'] as const;
export type MethodColumn = (typeof METHOD_COLUMNS)[number];

/** The row of the table of methods that stands for all methods of applications. */
export const APPLICATION_ROW = 'services of the application, without a policy';

/** The table of methods of `docs/security.md`: for each method, as `package.Service/Method`, the word of each column. */
export function documentedMethods(): ReadonlyMap<string, Readonly<Record<MethodColumn, string>>> {
  const rows = rowsOf('docs/security.md', 'method').map(([method = '', ...words]) => {
    const cells = METHOD_COLUMNS.map((column, index) => [column, words[index] ?? '']);
    return [codeOf(method)[0] ?? method, Object.fromEntries(cells)] as const;
  });
  return new Map(rows);
}

/** The cells of every row of the one table whose first heading is `heading`. */
function rowsOf(file: string, heading: string): readonly (readonly string[])[] {
  const lines = readFileSync(join(PROJECT, file), 'utf8').split('\n');
  const start = lines.findIndex(line => cellsOf(line)[0] === heading);
  if (start < 0) throw new Error(`${file} has no table whose first column is ${heading}`);
  const rows = lines.slice(start + 2);
  const end = rows.findIndex(line => !line.startsWith('|'));
  return rows.slice(0, end < 0 ? rows.length : end).map(cellsOf);
}

function cellsOf(line: string): readonly string[] {
  if (!line.startsWith('|')) return [];
  return line
    .split('|')
    .slice(1, -1)
    .map(cell => cell.trim());
}

function codeOf(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}
