import { createHash, randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import { writeFileAtomic } from '../lifecycle/atomic-write.ts';
import { makeDirectory } from '../lifecycle/make-directory.ts';

/** A data directory this process holds. */
export interface DataDirectory {
  /** Greater than at each start before: max(stored + 1, Unix milliseconds). */
  readonly generation: number;
  /** Gives the lock back. */
  close(): Promise<void>;
}

/**
 * Takes a data directory for this process; makes it (mode 0700) where it is missing. A lock whose owner is gone is
 * taken over.
 * @throws data_dir_locked, data_dir_unusable
 */
export async function openDataDirectory(directory: string): Promise<DataDirectory> {
  try {
    await makeDirectory(directory, 0o700);
    const lock = join(directory, 'lock');
    const owner = await takeLock(directory, lock);
    try {
      const generation = await nextGeneration(join(directory, 'generation'));
      return { generation, close: () => releaseLock(lock, owner) };
    } catch (error) {
      await releaseLock(lock, owner);
      throw error;
    }
  } catch (error) {
    if (error instanceof SelvedgeError) throw error;
    const problem = messageOf(error);
    throw new SelvedgeError('data_dir_unusable', `data directory ${directory} cannot be used: ${problem}`, {
      dataDir: directory,
      problem,
    });
  }
}

/** How often a lock may change hands while we look; only one that is no file at all takes longer. */
const MAX_ROUNDS = 100;

async function takeLock(directory: string, lock: string): Promise<string> {
  const owner = `${process.pid} ${await startOf(process.pid)} ${randomUUID()}\n`;
  const mine = `${lock}.${randomUUID()}`;
  await writeFile(mine, owner, { mode: 0o600 });
  try {
    await acquire(lock, mine, directory);
    return owner;
  } finally {
    await rm(mine, { force: true });
  }
}

/**
 * Makes `lock` a link to `mine`. The lock of a dead owner is replaced by whoever holds the right to succeed that very
 * owner, which is a lock like this one: of several starters one gets it, and nobody ever moves a living lock.
 * @throws data_dir_locked
 */
async function acquire(lock: string, mine: string, directory: string): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    if (await linked(mine, lock)) return;
    const holder = await readHolder(lock);
    if (holder === undefined) continue;
    if (await isAlive(holder)) throw locked(directory, holder);
    const succession = `${lock}.after-${createHash('sha256').update(holder).digest('hex').slice(0, 16)}`;
    await acquire(succession, mine, directory);
    try {
      // Another successor may have come and gone since the holder was read.
      if ((await readHolder(lock)) === holder) return await replace(lock, mine);
    } finally {
      await rm(succession, { force: true });
    }
  }
  throw new Error(`${lock} can be neither made nor read; if it is a link that leads nowhere, remove it`);
}

async function replace(lock: string, mine: string): Promise<void> {
  const next = `${mine}.next`;
  await link(mine, next);
  await rename(next, lock);
}

/** Undefined where there is no such file, or no more. */
async function readHolder(lock: string): Promise<string | undefined> {
  try {
    return await readFile(lock, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Linking a file that exists fails: the one step that only one of several starters can take. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function isAlive(holder: string): Promise<boolean> {
  const [pidText, started] = holder.trim().split(' ');
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  // The number may have been given to another process since.
  return (await startOf(pid)) === started;
}

/**
 * When a process started, in the kernel's ticks since boot; `-` where the system does not tell, `gone` for one that has
 * ended and only waits to be reaped (proc(5), fields `state` and `starttime`).
 */
async function startOf(pid: number): Promise<string> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const [state, ...fields] = line.slice(line.lastIndexOf(')') + 2).split(' ');
  if (state === 'Z' || state === 'X') return 'gone';
  return fields[18] ?? '-';
}

function locked(dataDir: string, holder: string): SelvedgeError<'data_dir_locked'> {
  const pid = Number(holder.split(' ')[0]) || 0;
  const owner = pid === process.pid ? 'this process' : `process ${pid}`;
  const message = `data directory ${dataDir} is in use by ${owner}; stop it, or give this node its own data-dir`;
  return new SelvedgeError('data_dir_locked', message, { dataDir, pid });
}

async function releaseLock(lock: string, owner: string): Promise<void> {
  if ((await readFile(lock, 'utf8').catch(() => '')) === owner) await rm(lock, { force: true });
}

async function nextGeneration(file: string): Promise<number> {
  const stored = await readGeneration(file);
  const generation = Math.max(stored + 1, Date.now());
  if (!Number.isSafeInteger(generation)) throw new Error(`${file} holds a number that cannot grow`);
  await writeFileAtomic(file, `${generation}\n`, 0o600);
  return generation;
}

async function readGeneration(file: string): Promise<number> {
  const exists = await stat(file).then(
    () => true,
    () => false,
  );
  if (!exists) return 0;
  const text = (await readFile(file, 'utf8')).trim();
  const value = Number(text);
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new Error(`${file} does not hold a number; remove it if the node may start a new line of generations`);
}
