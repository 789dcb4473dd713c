import { DirectoryWatches } from './directory-watches.ts';
import { type PathState, readPathState } from './path-state.ts';

/** What to watch, and whom to tell. */
export interface FileWatcherOptions {
  /** Existing or not. */
  readonly files: readonly string[];
  /** Called when a file is another one than before. Never while the call before it is still running. */
  readonly onChange: () => unknown;
  /** Told when the operating system cannot watch, or `onChange` failed. Watching goes on where it can. Default: nobody. */
  readonly onError?: (error: unknown) => void;
  /** The files must look the same this long, in milliseconds, before a change is reported. Default 100. */
  readonly settleMs?: number;
  /** The files are looked at this often, in milliseconds, also when the system tells nothing. Default 5,000. */
  readonly pollMs?: number;
}

export interface FileWatcher extends AsyncDisposable {
  /** Resolves once changes are seen; never rejects. */
  readonly ready: Promise<void>;
  /** Waits for an `onChange` that runs; afterwards it is not called again. */
  close(): Promise<void>;
}

/**
 * Watches files through the directories they lie in. Every way to replace a file counts: written over, renamed over,
 * removed and made again, or a symbolic link anywhere on its path turned elsewhere, as Kubernetes does with `..data`.
 * What happens beside the files does not. Where the operating system tells nothing, as on network file systems and for
 * a change by way of another name of the file, a look every `pollMs` finds it. Does not keep the process alive.
 */
export function watchFiles(options: FileWatcherOptions): FileWatcher {
  return new DirectoryFileWatcher(options);
}

const DEFAULT_SETTLE_MS = 100;
const DEFAULT_POLL_MS = 5_000;

/**
 * W1. Events and the poll are only a reason to look: whether a file changed is read from the file system.
 * W2. A change is reported when two looks, `settleMs` apart, found the same; looks never overlap.
 * W3. After each look the directories that matter now are the ones watched.
 */
class DirectoryFileWatcher implements FileWatcher {
  readonly ready: Promise<void>;
  readonly #options: FileWatcherOptions;
  readonly #settleMs: number;
  readonly #watches: DirectoryWatches;
  #reported = '';
  #lastSeen = '';
  #timer: NodeJS.Timeout | undefined;
  readonly #poll: NodeJS.Timeout;
  #looking: Promise<void> = Promise.resolve();
  #isLooking = false;
  #isStale = false;
  #isClosed = false;

  constructor(options: FileWatcherOptions) {
    this.#options = options;
    this.#settleMs = options.settleMs ?? DEFAULT_SETTLE_MS;
    this.#watches = new DirectoryWatches(
      () => this.#lookSoon(),
      error => options.onError?.(error),
    );
    this.ready = this.#start();
    this.#poll = setInterval(() => this.#lookSoon(), options.pollMs ?? DEFAULT_POLL_MS);
    this.#poll.unref();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#poll);
    await this.ready;
    await this.#looking;
    this.#watches.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(): Promise<void> {
    const state = await this.#readState();
    this.#reported = state.version;
    this.#lastSeen = state.version;
    this.#watches.moveTo(state.directories);
    // A change between the look and the watching has no event.
    this.#lookSoon();
  }

  #lookSoon(): void {
    this.#isStale = true;
    if (this.#isClosed || this.#isLooking || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#looking = this.#look();
    }, this.#settleMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    this.#isStale = false;
    const state = await this.#readState();
    const isSettled = state.version === this.#lastSeen;
    this.#lastSeen = state.version;
    const isNewPlace = this.#watches.moveTo(state.directories);
    if (isSettled && state.version !== this.#reported && !this.#isClosed) {
      this.#reported = state.version;
      await this.#report();
    }
    this.#isLooking = false;
    // A directory that is watched only now may have changed before.
    if (!isSettled || isNewPlace || this.#isStale) this.#lookSoon();
  }

  async #report(): Promise<void> {
    try {
      await this.#options.onChange();
    } catch (error) {
      this.#options.onError?.(error);
    }
  }

  async #readState(): Promise<PathState> {
    const states = await Promise.all(this.#options.files.map(readPathState));
    return {
      directories: new Map(states.flatMap(state => [...state.directories])),
      version: states.map(state => state.version).join(' '),
    };
  }
}
