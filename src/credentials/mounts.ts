import { readFile, realpath } from 'node:fs/promises';

/** One line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)). */
export interface Mount {
  /** Where it is mounted. */
  readonly mountPoint: string;
  /** Which part of its file system is mounted. */
  readonly root: string;
}

const MOUNT_INFO = '/proc/self/mountinfo';

/** The mounts that a text in the form of `/proc/self/mountinfo` names; lines of another form are passed over. */
export function parseMountInfo(text: string): readonly Mount[] {
  return text.split('\n').flatMap(line => {
    const [, , , root, mountPoint] = line.split(' ');
    return root === undefined || mountPoint === undefined
      ? []
      : [{ root: unescaped(root), mountPoint: unescaped(mountPoint) }];
  });
}

/**
 * Why a file will never be seen to change, after its name; undefined where it may.
 * @param path without symbolic links
 */
export function whyFrozen(path: string, mounts: readonly Mount[]): string | undefined {
  if (mounts.some(({ mountPoint }) => mountPoint === path))
    return 'is a mount point of its own, such as a Kubernetes subPath: a file that takes its place is never seen here; mount its directory instead';
  const around = mounts
    .filter(({ mountPoint }) => path.startsWith(mountPoint.endsWith('/') ? mountPoint : `${mountPoint}/`))
    .toSorted((one, other) => other.mountPoint.length - one.mountPoint.length)
    .at(0);
  // What kubelet's atomic writer calls a generation: ..2025_01_31_10_20_30.123456789
  if (around === undefined || !/\/\.\.\d{4}_\d{2}_\d{2}_/.test(around.root)) return undefined;
  return `lies in the Kubernetes subPath ${around.mountPoint}, which stays with one generation of its volume: a newer one is never seen here; mount the whole volume instead`;
}

/** A warning for each file that will never be seen to change. Where the system has no such table, none. */
export async function warningsOfMounts(
  files: readonly string[],
  mountInfo: string = MOUNT_INFO,
): Promise<readonly string[]> {
  const mounts = parseMountInfo(await readFile(mountInfo, 'utf8').catch(() => ''));
  if (mounts.length === 0) return [];
  const warnings = await Promise.all(
    [...new Set(files)].map(async file => {
      const why = whyFrozen(await realpath(file).catch(() => file), mounts);
      return why === undefined ? [] : [`${file}: ${why}`];
    }),
  );
  return warnings.flat();
}

/** Blanks and the like are written as three octal digits. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
