import { lstat, readlink, stat } from 'node:fs/promises';
import { dirname, join, parse, resolve, sep } from 'node:path';

/** What a path leads to at one moment. */
export interface PathState {
  /**
   * The directories in which a change can make the path lead elsewhere: that of the file, that of each symbolic link
   * on the way, and where something on the way is missing, the last one that is there. No link is left in these names.
   * The value is another one when the name has come to stand for another directory.
   */
  readonly directories: ReadonlyMap<string, string>;
  /** Differs when the file does: identity, size and times, or the error code where it cannot be reached. */
  readonly version: string;
}

/** Looks where `path` leads now. Never throws: a missing or unreadable file is a state too. */
export async function readPathState(path: string): Promise<PathState> {
  const [directories, version] = await Promise.all([directoriesOf(resolve(path)), versionOf(path)]);
  return { directories, version };
}

/** As POSIX and Linux have it (`ELOOP`). */
const MAX_LINKS = 40;

async function directoriesOf(path: string): Promise<ReadonlyMap<string, string>> {
  const directories = new Map<string, string>();
  let directory = parse(path).root;
  let names = namesOf(path);
  let links = 0;
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === '..') {
      directory = dirname(directory);
      continue;
    }
    const entry = join(directory, name);
    const target = await linkTargetOf(entry);
    if (target === 'not a link' && names.length > 0) {
      directory = entry;
      continue;
    }
    directories.set(directory, await identityOf(directory));
    if (typeof target === 'string' || links === MAX_LINKS) break;
    links += 1;
    names = [...namesOf(target.to), ...names];
    directory = parse(target.to).root || directory;
  }
  return directories;
}

async function linkTargetOf(entry: string): Promise<{ readonly to: string } | 'not a link' | 'missing'> {
  try {
    return (await lstat(entry)).isSymbolicLink() ? { to: await readlink(entry) } : 'not a link';
  } catch {
    return 'missing';
  }
}

function namesOf(path: string): string[] {
  return path
    .slice(parse(path).root.length)
    .split(sep)
    .filter(name => name !== '' && name !== '.');
}

async function identityOf(directory: string): Promise<string> {
  try {
    const { dev, ino, birthtimeNs } = await stat(directory, { bigint: true });
    // A directory that was removed and made again often gets the same inode.
    return `${dev}:${ino}:${birthtimeNs}`;
  } catch {
    return 'gone';
  }
}

async function versionOf(path: string): Promise<string> {
  try {
    const status = await stat(path, { bigint: true });
    return [status.dev, status.ino, status.size, status.mtimeNs, status.ctimeNs].join(':');
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  }
}
