import type { JSONWebKeySet } from 'jose';
import { readFiles } from '../credentials/credential-files.ts';
import { type ConfigProblem, SelvedgeError } from '../errors/selvedge-error.ts';
import { parseJwks } from './jwks-file.ts';
import { parseTokens, type TokenEntry } from './token-file.ts';

const MAX_FILE_BYTES = 1024 * 1024;

/** A file that was read, and what is odd about it but stops nothing. */
export interface Loaded<Content> {
  readonly content: Content;
  readonly warnings: readonly string[];
}

/**
 * A file without a byte holds no token: so it is when the line of the last one was removed, which must revoke that too.
 * @throws config_invalid with every mistake in it.
 */
export async function loadTokenFile(file: string): Promise<Loaded<readonly TokenEntry[]>> {
  const { text, mode } = await readText(file, true);
  const parsed = parseTokens(text);
  if ('problems' in parsed)
    throw invalid(
      parsed.problems.map(({ line, problem, remedy }) => ({ key: '', place: `${file}:${line}`, problem, remedy })),
    );
  const isOpen = (mode & 0o077) !== 0;
  const warnings = [
    ...(isOpen ? [`${file}: the token file is accessible to group or others (mode 0${mode.toString(8)})`] : []),
    ...(parsed.entries.length === 0 ? [`${file}: holds no token, so nobody comes in by one`] : []),
  ];
  return { content: parsed.entries, warnings };
}

/** @throws config_invalid with every mistake in it. */
export async function loadJwksFile(file: string): Promise<Loaded<JSONWebKeySet>> {
  const { text } = await readText(file);
  const parsed = await parseJwks(text);
  if ('problems' in parsed)
    throw invalid(parsed.problems.map(problem => ({ key: '', place: file, problem, remedy: '' })));
  const isEmpty = parsed.jwks.keys.length === 0;
  return { content: parsed.jwks, warnings: isEmpty ? [`${file}: holds no key, so nobody comes in by a JWT`] : [] };
}

async function readText(file: string, mayBeEmpty = false): Promise<{ readonly text: string; readonly mode: number }> {
  const { contents, problems } = await readFiles([file], undefined, mayBeEmpty);
  const content = contents.get(file);
  const tooLarge = content !== undefined && content.bytes.length > MAX_FILE_BYTES;
  const problem = tooLarge ? `is larger than ${MAX_FILE_BYTES} bytes` : problems[0]?.problem;
  if (content === undefined || problem !== undefined)
    throw invalid([{ key: '', place: file, problem: `The file ${problem}.`, remedy: '' }]);
  return { text: Buffer.from(content.bytes).toString('utf8'), mode: content.mode };
}

function invalid(problems: readonly ConfigProblem[]): SelvedgeError<'config_invalid'> {
  const lines = problems.map(
    ({ place, problem, remedy }) => `${place}: ${problem}${remedy === '' ? '' : ` ${remedy}`}`,
  );
  return new SelvedgeError('config_invalid', lines.join('\n'), { problems });
}
