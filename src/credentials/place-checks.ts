import { lstat } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { unreadable } from './credential-files.ts';

/**
 * Why a place that nobody configured must not be believed, after its name: in a directory in which everybody may make
 * files, such as `/tmp`, it belongs to somebody else than root and us. Undefined where it may be believed, or is missing.
 * @param path absolute
 */
export async function whyNotOurs(path: string): Promise<string | undefined> {
  for (let place = path; dirname(place) !== place; place = dirname(place)) {
    try {
      const [{ uid }, { mode }] = await Promise.all([lstat(place), lstat(dirname(place))]);
      if ((mode & 0o002) !== 0 && uid !== 0 && uid !== process.getuid?.())
        return `${place} belongs to user ${uid}, in a directory in which everybody may write: name it with the source spiffe or directory if it is meant`;
    } catch {
      // What is missing is found by who reads it.
    }
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
