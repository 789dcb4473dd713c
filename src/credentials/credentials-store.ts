import { messageOf } from '../errors/selvedge-error.ts';
import { type FileWatcher, watchFiles } from '../lifecycle/file-watcher.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { CredentialFiles } from './credential-files.ts';
import { type CredentialProblem, credentialsInvalid } from './credential-problem.ts';
import { type Loading, loadSnapshot } from './load-snapshot.ts';
import { ReloadLog } from './reload-log.ts';
import type { ReloadResult, ReloadTrigger } from './reload-result.ts';
import { ReloadSchedule } from './reload-schedule.ts';
import type { TrustSnapshot } from './trust-snapshot.ts';

export type { ReloadResult, ReloadTrigger } from './reload-result.ts';

/** How the last try to read the files went. */
export interface CredentialsState {
  readonly lastReload: Date;
  readonly lastResult: ReloadResult['result'];
  /** The first problem; undefined unless the last try failed. */
  readonly problem: CredentialProblem | undefined;
}

export interface CredentialsStoreOptions {
  readonly files: CredentialFiles;
  /** The files are read again this often, seen change or not. At least 1,000. */
  readonly refreshIntervalMs: number;
  /** Whether to read again as soon as the files change on disk. */
  readonly watch: boolean;
  readonly logger: Logger;
  /** Told of every reload, the first included, such as to count it. Default: nobody. */
  readonly onReload?: (trigger: ReloadTrigger, result: ReloadResult) => void;
  /** The clock that certificates are judged by. Default: the system's. */
  readonly now?: () => Date;
}

/** One writer of trust snapshots, many readers. */
export interface CredentialsStore extends AsyncDisposable {
  /** Always a good set. Published anew only when the files say something else. */
  readonly snapshot: ObservableValue<TrustSnapshot>;
  readonly state: ObservableValue<CredentialsState>;
  /** Where the credentials lie now. */
  readonly files: CredentialFiles;
  /** Reads the files again. Never rejects; after {@link close} it does nothing and answers `unchanged`. */
  reload(trigger: ReloadTrigger): Promise<ReloadResult>;
  /**
   * Reads from other files from now on, all or nothing: throws `credentials_invalid` and keeps the old files and the
   * old set when the new ones cannot be used.
   */
  reconfigure(files: CredentialFiles, refreshIntervalMs?: number): Promise<ReloadResult>;
  /** Stops watching and refreshing, and waits for a reload that runs. The last snapshot stays readable. */
  close(): Promise<void>;
}

/**
 * Reads a set of credentials and keeps it fresh. Throws `credentials_invalid` when the set it finds first cannot be
 * used. Does not keep the process alive; close it.
 */
export function openCredentialsStore(options: CredentialsStoreOptions): Promise<CredentialsStore> {
  // Watching begins before the first reading, so that no change falls between the two.
  const opening = open(options, () => {
    opening.then(
      store => store.reload('watch'),
      () => {},
    );
  });
  return opening;
}

async function open(options: CredentialsStoreOptions, onChange: () => void): Promise<CredentialsStore> {
  const watcher = await startWatching(options, options.files, onChange);
  const loading = await loadSnapshot(options.files, undefined, clockOf(options)());
  if (loading.result === 'ok') return new FileCredentialsStore(options, loading.snapshot, watcher);
  await watcher?.close();
  throw credentialsInvalid(loading.result === 'failed' ? loading.problems : []);
}

async function startWatching(
  { watch, logger }: CredentialsStoreOptions,
  files: CredentialFiles,
  onChange: () => void,
): Promise<FileWatcher | undefined> {
  if (!watch) return undefined;
  const watcher = watchFiles({
    files: [files.certFile, files.keyFile, ...files.caFiles, ...files.crlFiles],
    onChange,
    onError: error => logger.warn('tls.watch_failed', { problem: messageOf(error) }),
  });
  await watcher.ready;
  return watcher;
}

function clockOf(options: CredentialsStoreOptions): () => Date {
  return options.now ?? (() => new Date());
}

/**
 * S1. The snapshot is replaced by a set that was found usable, or not at all.
 * S2. One reading at a time, in the order in which they were asked for.
 * S3. While the files cannot be used they are read again after growing waits, whatever else triggers a reading.
 */
class FileCredentialsStore implements CredentialsStore {
  readonly #options: CredentialsStoreOptions;
  readonly #now: () => Date;
  readonly #snapshot: MutableValue<TrustSnapshot>;
  readonly #state: MutableValue<CredentialsState>;
  readonly #log: ReloadLog;
  readonly #schedule: ReloadSchedule;
  #files: CredentialFiles;
  #watcher: FileWatcher | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: CredentialsStoreOptions, first: TrustSnapshot, watcher: FileWatcher | undefined) {
    this.#options = options;
    this.#now = clockOf(options);
    this.#files = options.files;
    this.#watcher = watcher;
    this.#snapshot = new MutableValue(first);
    this.#state = new MutableValue<CredentialsState>({
      lastReload: first.loadedAt,
      lastResult: 'ok',
      problem: undefined,
    });
    this.#log = new ReloadLog(options.logger);
    this.#log.loaded('start', first);
    this.#schedule = new ReloadSchedule(() => this.#reloadUnasked('poll'));
    this.#schedule.refreshEvery(options.refreshIntervalMs);
    options.onReload?.('start', this.#resultOf('ok'));
  }

  get snapshot(): ObservableValue<TrustSnapshot> {
    return this.#snapshot;
  }

  get state(): ObservableValue<CredentialsState> {
    return this.#state;
  }

  get files(): CredentialFiles {
    return this.#files;
  }

  reload(trigger: ReloadTrigger): Promise<ReloadResult> {
    return this.#enqueue(async () => {
      if (this.#isClosed) return this.#resultOf('unchanged');
      return this.#conclude(trigger, await loadSnapshot(this.#files, this.#snapshot.value, this.#now()));
    });
  }

  reconfigure(
    files: CredentialFiles,
    refreshIntervalMs: number = this.#options.refreshIntervalMs,
  ): Promise<ReloadResult> {
    return this.#enqueue(async () => {
      if (this.#isClosed) return this.#resultOf('unchanged');
      const watcher = await startWatching(this.#options, files, () => this.#reloadUnasked('watch'));
      const loading = await loadSnapshot(files, this.#snapshot.value, this.#now());
      if (loading.result === 'failed') {
        await watcher?.close();
        throw credentialsInvalid(loading.problems);
      }
      await this.#watcher?.close();
      this.#watcher = watcher;
      this.#files = files;
      this.#schedule.refreshEvery(refreshIntervalMs);
      return this.#conclude('signal', loading);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#queue;
    this.#schedule.close();
    await this.#watcher?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#queue.then(task);
    this.#queue = run.catch(() => {});
    return run;
  }

  #reloadUnasked(trigger: ReloadTrigger): void {
    // Only a subscriber that throws gets here; that must not end the process.
    this.reload(trigger).catch(error =>
      this.#options.logger.error('tls.subscriber_failed', { problem: messageOf(error) }),
    );
  }

  #conclude(trigger: ReloadTrigger, loading: Loading): ReloadResult {
    if (this.#isClosed) return this.#resultOf('unchanged');
    const trusted = loading.result === 'ok' ? loading.snapshot : this.#snapshot.value;
    const problems = loading.result === 'failed' ? loading.problems : [];
    if (loading.result === 'failed') {
      this.#log.failed(trigger, problems, trusted.generation);
      this.#schedule.failed();
    } else {
      if (loading.result === 'ok') this.#log.loaded(trigger, trusted);
      else this.#log.unchanged(trigger, trusted.generation);
      this.#schedule.succeeded();
    }
    this.#snapshot.set(trusted);
    this.#state.set({ lastReload: this.#now(), lastResult: loading.result, problem: problems[0] });
    const result = this.#resultOf(loading.result, problems);
    this.#options.onReload?.(trigger, result);
    return result;
  }

  #resultOf(result: ReloadResult['result'], problems: readonly CredentialProblem[] = []): ReloadResult {
    return { result, generation: this.#snapshot.value.generation, problems };
  }
}
