import { readFile } from 'node:fs/promises';
import { messageOf } from '../errors/selvedge-error.ts';
import { writeFileAtomic } from './atomic-write.ts';
import { MutableValue } from './observable-value.ts';
import { OneAtATime } from './one-at-a-time.ts';

/** Readable and writable by the owner alone. */
const MODE = 0o600;

export type Parsed<T> = { readonly value: T } | { readonly problem: string };

/** How a value is written. `parse` never throws. */
export interface KeptValueFormat<T> {
  /** Where there is no file, or none that can be understood. */
  readonly empty: T;
  parse(text: string): Parsed<T>;
  serialize(value: T): string;
}

/** A value that outlives the process. */
export interface KeptValue<T> {
  readonly value: MutableValue<T>;
  /** Why the file could not be understood at the start; undefined where it was fine or not there. */
  readonly problem: string | undefined;
  /** Resolves when the newest value is on the disk, or could not be written. */
  close(): Promise<void>;
}

/**
 * Keeps a value in `file` (mode 0600), which is replaced in one step after each change. One that cannot be understood stays
 * as it is until then.
 * @param onWriteError told each time it cannot be written.
 */
export async function openKeptValue<T>(
  file: string,
  format: KeptValueFormat<T>,
  onWriteError: (problem: string) => void,
): Promise<KeptValue<T>> {
  const read = await readKept(file, format);
  const value = new MutableValue('value' in read ? read.value : format.empty);
  let written = value.value;
  const write = async () => {
    const next = value.value;
    if (Object.is(next, written)) return;
    await writeFileAtomic(file, format.serialize(next), MODE);
    written = next;
  };
  const failed = (error: unknown) => onWriteError(messageOf(error));
  const writing = new OneAtATime(write, failed);
  const stop = value.subscribe(() => writing.ask());
  return {
    value,
    problem: 'problem' in read ? read.problem : undefined,
    close: async () => {
      stop();
      await writing.close();
      await write().catch(failed);
    },
  };
}

async function readKept<T>(file: string, { empty, parse }: KeptValueFormat<T>): Promise<Parsed<T>> {
  try {
    return parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { value: empty };
    return { problem: `cannot be read: ${messageOf(error)}` };
  }
}

/** The object that `text` is in JSON, of a format `version`. */
export function parseVersioned(text: string, version: number): Parsed<Readonly<Record<string, unknown>>> {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return { problem: 'is not JSON' };
  }
  if (!isRecord(root)) return { problem: 'does not hold an object' };
  return root.version === version ? { value: root } : { problem: `is of another version than ${version}` };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
