import { lstat, readlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, parse, resolve, sep } from 'node:path';
import { unreadable } from './credential-files.ts';

/** As many links as Linux follows in one path. */
const MAX_LINKS = 40;

/**
 * Why a place that nobody configured must not be believed, after its name: it is missing, since somebody may make it
 * before we get there; or something on the way to it, links included, lies in a directory in which everybody may make
 * files, such as `/tmp`, and belongs to somebody else than root and us. Undefined where it may be believed.
 * @param path absolute
 */
export async function whyNotOurs(path: string): Promise<string | undefined> {
  try {
    return await whyNotOursOnTheWay(path, MAX_LINKS);
  } catch (error) {
    return unreadable(error);
  }
}

async function whyNotOursOnTheWay(path: string, linksLeft: number): Promise<string | undefined> {
  const { root } = parse(path);
  const names = path.slice(root.length).split(sep).filter(Boolean);
  let directory = root;
  for (const [index, name] of names.entries()) {
    const place = join(directory, name);
    const [parent, found] = await Promise.all([lstat(directory), lstat(place)]);
    if ((parent.mode & 0o002) !== 0 && found.uid !== 0 && found.uid !== process.getuid?.())
      return `${place} belongs to user ${found.uid}, in a directory in which everybody may write: name it with the source spiffe or directory if it is meant`;
    if (found.isSymbolicLink()) {
      if (linksLeft === 0) return 'is a symbolic link that leads in a circle';
      const target = resolve(directory, await readlink(place));
      return whyNotOursOnTheWay(join(target, ...names.slice(index + 1)), linksLeft - 1);
    }
    directory = place;
  }
  return undefined;
}

/** Why nobody can be reached at a unix socket, after its name; undefined where somebody listens. */
export function whyNoAgent(socketPath: string): Promise<string | undefined> {
  return new Promise(resolve => {
    const socket = connect({ path: socketPath });
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', error => {
      const isRefused = 'code' in error && error.code === 'ECONNREFUSED';
      resolve(isRefused ? 'is a socket at which nobody listens' : unreadable(error));
    });
  });
}
