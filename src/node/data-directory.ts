import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import { writeFileAtomic } from '../lifecycle/atomic-write.ts';

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
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const lock = join(directory, 'lock');
    const owner = await takeLock(directory, lock);
    const generation = await nextGeneration(join(directory, 'generation'));
    return { generation, close: () => releaseLock(lock, owner) };
  } catch (error) {
    if (error instanceof SelvedgeError) throw error;
    const problem = messageOf(error);
    throw new SelvedgeError('data_dir_unusable', `data directory ${directory} cannot be used: ${problem}`, {
      dataDir: directory,
      problem,
    });
  }
}

async function takeLock(directory: string, lock: string): Promise<string> {
  const owner = `${process.pid} ${await startOf(process.pid)} ${randomUUID()}\n`;
  const mine = `${lock}.${randomUUID()}`;
  await writeFile(mine, owner, { mode: 0o600 });
  try {
    // A dead owner's lock is set aside once; losing the race to another starter twice in a row is being locked out.
    for (let round = 0; round < 3; round += 1) {
      if (await linked(mine, lock)) return owner;
      const holder = await readFile(lock, 'utf8').catch(() => '');
      if (holder !== '' && (await isAlive(holder))) throw locked(directory, holder);
      await setAside(lock, holder);
    }
    throw locked(directory, await readFile(lock, 'utf8').catch(() => ''));
  } finally {
    await rm(mine, { force: true });
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

/** Removes the lock if it is still the one of the dead owner; another starter's fresh lock is put back. */
async function setAside(lock: string, deadOwner: string): Promise<void> {
  const aside = `${lock}.${randomUUID()}`;
  try {
    await rename(lock, aside);
  } catch {
    return;
  }
  if ((await readFile(aside, 'utf8').catch(() => '')) !== deadOwner) await linked(aside, lock);
  await rm(aside, { force: true });
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

/** When a process started, in the kernel's ticks since boot; `-` where the system does not tell. */
async function startOf(pid: number): Promise<string> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? '-';
}

function locked(dataDir: string, holder: string): SelvedgeError<'data_dir_locked'> {
  const pid = Number(holder.split(' ')[0]) || 0;
  const message = `data directory ${dataDir} is in use by process ${pid}; stop it, or give this node its own data-dir`;
  return new SelvedgeError('data_dir_locked', message, { dataDir, pid });
}

async function releaseLock(lock: string, owner: string): Promise<void> {
  if ((await readFile(lock, 'utf8').catch(() => '')) === owner) await rm(lock, { force: true });
}

async function nextGeneration(file: string): Promise<number> {
  const stored = await readGeneration(file);
  const generation = Math.max(stored + 1, Date.now());
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
