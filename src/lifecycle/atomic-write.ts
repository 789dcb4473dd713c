import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export interface FileToWrite {
  readonly file: string;
  readonly content: string | Uint8Array;
  /** Permission bits, whatever the umask. */
  readonly mode: number;
}

/**
 * Replaces `file` in one step: whoever reads it gets the old content or the new, both whole, also after a crash. A
 * file that is there already gets `mode` too. On failure the old file is untouched and nothing else is left behind.
 */
export function writeFileAtomic(file: string, content: string | Uint8Array, mode: number): Promise<void> {
  return writeFilesAtomic([{ file, content, mode }]);
}

/**
 * Replaces several files that belong together. All of them lie complete on the disk before the first is put in place,
 * so a reader sees a mixture only between two renames; they happen in the order given.
 */
export async function writeFilesAtomic(files: readonly FileToWrite[]): Promise<void> {
  const staged = files.map(({ file }) => temporaryNameOf(file));
  try {
    for (const [index, temporary] of staged.entries()) {
      const entry = files[index];
      if (entry !== undefined) await writeNewFile(temporary, entry.content, entry.mode);
    }
    for (const [index, temporary] of staged.entries()) {
      const entry = files[index];
      if (entry !== undefined) await rename(temporary, entry.file);
    }
  } catch (error) {
    await Promise.all(staged.map(temporary => rm(temporary, { force: true })));
    throw error;
  }
  for (const directory of new Set(files.map(({ file }) => dirname(file)))) await syncDirectory(directory);
}

/** In the same directory, since a rename between file systems is not atomic; hidden, and ending in neither .pem nor .key. */
function temporaryNameOf(file: string): string {
  return join(dirname(file), `.${basename(file)}.${randomBytes(6).toString('hex')}.tmp`);
}

async function writeNewFile(file: string, content: string | Uint8Array, mode: number): Promise<void> {
  // Never wider than asked, not even between open and chmod; chmod then undoes what the umask took away.
  await using handle = await open(file, 'wx', mode);
  await handle.chmod(mode);
  await handle.writeFile(content);
  await handle.sync();
}

/** Makes the renames themselves survive a power cut. Not every platform can open a directory; the files are whole without it. */
async function syncDirectory(directory: string): Promise<void> {
  try {
    await using handle = await open(directory, 'r');
    await handle.sync();
  } catch {}
}
