import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The directory that holds `package.json`. */
export const PROJECT: string = fileURLToPath(new URL('../..', import.meta.url));

/** One import or re-export of a source file. */
export interface SourceImport {
  /** As it is written: `node:net`, `pino`, `../identity/address.ts`. */
  readonly specifier: string;
  /** The imported file below `src`; undefined for what lies outside. */
  readonly file: string | undefined;
  /** Whether nothing of it is left when the program runs. */
  readonly typeOnly: boolean;
}

/** One file below `src` that is no test. */
export interface SourceFile {
  /** Below `src`, with `/`: `identity/address.ts`. */
  readonly path: string;
  /** The directory directly below `src`; empty for a file that lies in `src` itself. */
  readonly room: string;
  readonly text: string;
  readonly imports: readonly SourceImport[];
}

export function readSourceFiles(): readonly SourceFile[] {
  const root = join(PROJECT, 'src');
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map(path => path.replaceAll('\\', '/'))
    .filter(path => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .sort()
    .map(path => {
      const text = readFileSync(join(root, path), 'utf8');
      return { path, room: roomOf(path), text, imports: importsOf(path, text) };
    });
}

/** The room of a file below `src`; empty for a file that lies in `src` itself. */
export function roomOf(path: string): string {
  return path.includes('/') ? (path.split('/')[0] ?? '') : '';
}

/** How many imports the code of a file has by a count that knows nothing of {@link importsOf}. */
export function countImports(text: string): number {
  const code = codeLines(text);
  const count = (pattern: RegExp) => code.filter(line => pattern.test(line)).length;
  return count(/\bfrom ['"`]/) + count(/^import ['"`]/) + count(/\bimport\(/) + count(/\brequire\(/);
}

/** The lines of a text that are no comment as a whole. */
export function codeLines(text: string): readonly string[] {
  return text.split('\n').filter(line => !/^\s*(?:\/\/|\/\*|\*)/.test(line));
}

/** The formatter begins every statement at the first column, so no parser is needed. */
function importsOf(path: string, text: string): readonly SourceImport[] {
  const found: SourceImport[] = [];
  const add = (specifier: string, typeOnly: boolean) => {
    const file = specifier.startsWith('.') ? posix.normalize(posix.join(dirname(path), specifier)) : undefined;
    found.push({ specifier, file, typeOnly });
  };
  for (const [, clause = '', specifier = ''] of text.matchAll(/^(?:import|export)\b([^'";]*?)\bfrom '([^']+)';/gm))
    add(specifier, /^\s*type\b/.test(clause));
  for (const [, specifier = ''] of text.matchAll(/^import '([^']+)';/gm)) add(specifier, false);
  for (const [, specifier = ''] of text.matchAll(/\bimport\('([^']+)'\)/g)) add(specifier, false);
  return found;
}
