import { type FSWatcher, watch } from 'node:fs';

interface Watch {
  readonly identity: string;
  /** Undefined where the operating system refused. */
  readonly watcher: FSWatcher | undefined;
}

/**
 * The operating system's watches on a changing set of directories.
 *
 * Node's own `watch`, not a library: on a single directory it does all that is needed, and chokidar 5 shares one watch
 * a name among all its users, which stays on the old directory when another one takes that name.
 */
export class DirectoryWatches {
  readonly #onEvent: () => void;
  readonly #onError: (error: unknown) => void;
  readonly #watches = new Map<string, Watch>();
  #isClosed = false;

  constructor(onEvent: () => void, onError: (error: unknown) => void) {
    this.#onEvent = onEvent;
    this.#onError = onError;
  }

  /**
   * Watches these directories (name and identity) and no others; true when one of them was not watched before. One that
   * cannot be watched is told to `onError` once.
   */
  moveTo(directories: ReadonlyMap<string, string>): boolean {
    if (this.#isClosed) return false;
    let hasNew = false;
    for (const [name, { identity, watcher }] of this.#watches) {
      if (directories.get(name) === identity) continue;
      watcher?.close();
      this.#watches.delete(name);
    }
    for (const [name, identity] of directories) {
      if (this.#watches.has(name)) continue;
      this.#watches.set(name, { identity, watcher: this.#watch(name) });
      hasNew = true;
    }
    return hasNew;
  }

  close(): void {
    this.#isClosed = true;
    for (const { watcher } of this.#watches.values()) watcher?.close();
    this.#watches.clear();
  }

  #watch(name: string): FSWatcher | undefined {
    try {
      const watcher = watch(name, { persistent: false }, () => this.#onEvent());
      watcher.on('error', error => this.#onError(error));
      return watcher;
    } catch (error) {
      // Gone since it was looked for: the next look finds out where to watch instead.
      if (codeOf(error) !== 'ENOENT') this.#onError(withRemedy(error));
      return undefined;
    }
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** Linux calls its limits of inotify by the names of others. */
function withRemedy(error: unknown): unknown {
  const limit = { EMFILE: 'max_user_instances', ENOSPC: 'max_user_watches' }[String(codeOf(error))];
  if (limit === undefined || !(error instanceof Error)) return error;
  return new Error(`${error.message}; raise fs.inotify.${limit}, until then files are only polled`, { cause: error });
}
