import { readFile, stat } from 'node:fs/promises';
import { messageOf, SelvedgeError } from '../errors/selvedge-error.ts';

/** The text of a PEM file. Throws `credentials_invalid`, which names the file, when it is missing or cannot be read. */
export async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw credentialsInvalid(file, isMissing(error) ? 'there is no such file' : messageOf(error), error);
  }
}

/** The permission bits of a file, or undefined where there is none. */
export async function modeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).mode & 0o777;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export function credentialsInvalid(
  file: string,
  problem: string,
  cause?: unknown,
): SelvedgeError<'credentials_invalid'> {
  return new SelvedgeError('credentials_invalid', `${file}: ${problem}`, { file, problem }, { cause });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
