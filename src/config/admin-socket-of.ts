import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'smol-toml';

/**
 * Where the daemon of a config file listens for its operator, read without judging the rest: a file that was edited into
 * a mistake must not keep anybody from asking the node that still runs. Undefined where even that cannot be read.
 */
export function adminSocketOf(file: string): string | undefined {
  try {
    const { 'admin-socket': socket, 'data-dir': dataDir } = parse(readFileSync(file, 'utf8'));
    if (typeof socket === 'string') return resolve(dirname(file), socket);
    return typeof dataDir === 'string' ? resolve(dirname(file), dataDir, 'admin.sock') : undefined;
  } catch {
    return undefined;
  }
}
