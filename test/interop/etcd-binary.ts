import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const ETCD_VERSION = 'v3.6.16';

/** The etcd of the tests. */
export interface EtcdBinary {
  readonly command: string;
  /** Such as `3.6.16`. */
  readonly version: string;
  /** Whether it asks for permissions inside nested transactions (GHSA-rfx7-8w68-q57q). */
  readonly guardsNested: boolean;
}

let found: Promise<EtcdBinary> | undefined;

/**
 * In ETCD_BIN_DIR, or else built from the Go module proxy and kept in the cache of the user, which takes minutes the first
 * time, or else on the PATH.
 * @throws where it cannot be had.
 */
export function findEtcd(): Promise<EtcdBinary> {
  found ??= find();
  return found;
}

/** Why no test can be done against etcd itself; empty: it can. */
export function whyNoEtcd(): Promise<string> {
  return findEtcd().then(
    () => '',
    () => 'needs etcd: in ETCD_BIN_DIR, or Go to build it, or on the PATH',
  );
}

/** Whether nodes need `allow-unguarded` with the etcd of the tests, however its users are bound; said where they do. */
export async function needsUnguarded(t: TestContext): Promise<boolean> {
  const { version, guardsNested } = await findEtcd();
  if (!guardsNested) t.diagnostic(`etcd ${version} applies no users inside nested transactions: with allow-unguarded`);
  return !guardsNested;
}

async function find(): Promise<EtcdBinary> {
  const given = process.env.ETCD_BIN_DIR;
  if (given !== undefined && given !== '') return binaryAt(join(given, 'etcd'));
  const caches = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'selvedge');
  const cache = join(caches, `etcd-${ETCD_VERSION}`);
  const command = join(cache, 'bin', 'etcd');
  const isThere = await access(command).then(
    () => true,
    () =>
      build(caches, cache).then(
        () => true,
        () => false,
      ),
  );
  return binaryAt(isThere ? command : 'etcd');
}

/** In a directory that takes its place when it is whole: several test processes may want it at once. */
async function build(caches: string, cache: string): Promise<void> {
  await mkdir(caches, { recursive: true });
  const directory = await mkdtemp(join(caches, 'building-etcd-'));
  try {
    const bin = join(directory, 'bin');
    const options = { cwd: directory, env: { ...process.env, GOBIN: bin }, maxBuffer: 64 * 1024 * 1024 };
    await run('go', ['mod', 'init', 'selvedge.test/etcd'], options);
    await run('go', ['get', '-tool', `go.etcd.io/etcd/server/v3@${ETCD_VERSION}`], options);
    await run('go', ['install', 'go.etcd.io/etcd/server/v3'], options);
    await rename(join(bin, 'server'), join(bin, 'etcd'));
    await rename(directory, cache).catch(() => access(join(cache, 'bin', 'etcd')));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function binaryAt(command: string): Promise<EtcdBinary> {
  const { stdout } = await run(command, ['--version']);
  const [, version = '', major = 0, minor = 0, patch = 0] = /etcd Version: ((\d+)\.(\d+)\.(\d+))/.exec(stdout) ?? [];
  const first = FIRST_PATCHES.find(([of]) => of === `${major}.${minor}`)?.[1];
  const isNewer = Number(major) > 3 || (Number(major) === 3 && Number(minor) > 6);
  return { command, version, guardsNested: isNewer || (first !== undefined && Number(patch) >= first) };
}

/** Of each line of releases, the first patch that does. */
const FIRST_PATCHES = [
  ['3.4', 42],
  ['3.5', 28],
  ['3.6', 9],
] as const;
