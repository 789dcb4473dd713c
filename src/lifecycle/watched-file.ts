import { type FileWatcher, watchFiles } from './file-watcher.ts';
import { MutableValue, type ObservableValue } from './observable-value.ts';

/** What came of reading a file again. */
export type Rereading<Content> = { readonly content: Content } | { readonly error: unknown };

export interface WatchedFileOptions<Content> {
  readonly file: string;
  /** Throws for a file that is no good. */
  readonly load: (file: string) => Promise<Content>;
  /** Whether a later content says what the present one does: it is not taken then, and not told. */
  readonly isSame: (next: Content, present: Content) => boolean;
  /** Told of each later reading that found something else: it was taken, or why it was not. */
  readonly onReload: (reading: Rereading<Content>) => void;
}

/** What a file says, as long as it is watched. */
export interface WatchedFile<Content> {
  readonly file: string;
  readonly content: ObservableValue<Content>;
  close(): Promise<void>;
}

/**
 * Reads a file, and again whenever it changes. What is broken or gone never replaces what was read before; when it is good
 * again, that is told also where it says the same. Rejects as `load` does when the first reading fails.
 */
export async function openWatchedFile<Content>(options: WatchedFileOptions<Content>): Promise<WatchedFile<Content>> {
  const { file, load, isSame, onReload } = options;
  let isMissed = false;
  let reload = async (): Promise<void> => {
    isMissed = true;
  };
  // Watched before it is read, so that no change falls between the two.
  const watcher = watchFiles({ files: [file], onChange: () => reload() });
  const content = new MutableValue<Content>(await firstOf(watcher, () => load(file)));
  let isBroken = false;
  let isClosed = false;
  reload = async () => {
    const reading = await tryToLoad(load, file);
    if (isClosed) return;
    const wasBroken = isBroken;
    isBroken = 'error' in reading;
    if ('error' in reading) return onReload(reading);
    const isOther = !isSame(reading.content, content.value);
    if (isOther) content.set(reading.content);
    if (isOther || wasBroken) onReload(reading);
  };
  if (isMissed) await reload();
  const close = (): Promise<void> => {
    isClosed = true;
    return watcher.close();
  };
  return { file, content, close };
}

async function firstOf<Content>(watcher: FileWatcher, load: () => Promise<Content>): Promise<Content> {
  try {
    await watcher.ready;
    return await load();
  } catch (error) {
    await watcher.close();
    throw error;
  }
}

async function tryToLoad<Content>(load: (file: string) => Promise<Content>, file: string): Promise<Rereading<Content>> {
  try {
    return { content: await load(file) };
  } catch (error) {
    return { error };
  }
}
