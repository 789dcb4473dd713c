import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The directory that holds `package.json`. */
export const PROJECT: string = fileURLToPath(new URL('../..', import.meta.url));

/** Every file that is committed or would be; undefined where this is no working copy of git. */
export function trackedFiles(): readonly string[] | undefined {
  try {
    const output = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: PROJECT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return output.split('\0').filter(file => file !== '');
  } catch {
    return undefined;
  }
}
