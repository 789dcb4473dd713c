import { isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import { type FileWatcher, watchFiles } from '../lifecycle/file-watcher.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Loaded } from './bearer-files.ts';

export interface WatchedFileOptions<Content> {
  readonly file: string;
  /** Throws `config_invalid` for a file that is no good. */
  readonly load: (file: string) => Promise<Loaded<Content>>;
  readonly logger: Logger;
  /** Told of every later reading: why it was rejected, or undefined. */
  readonly onReload: (problem: string | undefined) => void;
}

export interface WatchedFile<Content> {
  readonly content: ObservableValue<Content>;
  close(): Promise<void>;
}

/**
 * What a file says, as long as it is watched. One that is broken or gone never replaces what was read before.
 * @throws config_invalid when the first read fails.
 */
export async function openWatchedFile<Content>(options: WatchedFileOptions<Content>): Promise<WatchedFile<Content>> {
  const { file, load, logger, onReload } = options;
  let told: readonly string[] = [];
  const warn = (warnings: readonly string[]) => {
    for (const problem of warnings)
      if (!told.includes(problem)) logger.warn('authentication.file_warning', { problem });
    told = warnings;
  };
  let content: MutableValue<Content> | undefined;
  let newer: Loaded<Content> | undefined;
  const reload = async (): Promise<void> => {
    try {
      newer = await load(file);
      content?.set(newer.content);
      onReload(undefined);
      logger.info('authentication.file_changed', { file });
      warn(newer.warnings);
    } catch (error) {
      onReload(messageOf(error));
      const problems = isSelvedgeError(error, 'config_invalid') ? error.facts.problems : messageOf(error);
      logger.error('authentication.reload_failed', { file, problems });
    }
  };
  // Watched before it is read, so that no change falls between the two.
  const watcher: FileWatcher = watchFiles({ files: [file], onChange: reload });
  try {
    await watcher.ready;
    const first = await load(file);
    warn(first.warnings);
    content = new MutableValue((newer ?? first).content);
    return { content, close: () => watcher.close() };
  } catch (error) {
    await watcher.close();
    throw error;
  }
}
