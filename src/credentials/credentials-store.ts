import { messageOf } from '../errors/selvedge-error.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type CredentialProblem, credentialsInvalid } from './credential-problem.ts';
import type { CredentialSource } from './credential-source.ts';
import { type Loading, loadSnapshot, type Trial } from './load-snapshot.ts';
import { type CredentialSpec, openCredentialSource } from './open-credential-source.ts';
import { ReloadLog } from './reload-log.ts';
import type { ReloadResult, ReloadTrigger } from './reload-result.ts';
import { ReloadSchedule } from './reload-schedule.ts';
import type { TrustSnapshot } from './trust-snapshot.ts';

export type { Trial } from './load-snapshot.ts';
export type { ReloadResult, ReloadTrigger } from './reload-result.ts';

/** How the last look at the source went. */
export interface CredentialsState {
  readonly lastReload: Date;
  readonly lastResult: ReloadResult['result'];
  /** Why the last try failed; empty unless it did. */
  readonly problems: readonly CredentialProblem[];
  /** What is odd about the set in use, as of the last look that could be taken. */
  readonly warnings: readonly string[];
}

export interface CredentialsStoreOptions {
  readonly spec: CredentialSpec;
  /** The source is read again this often, seen change or not. At least 1,000. */
  readonly refreshIntervalMs: number;
  /** Whether to read again as soon as the source tells of a change. */
  readonly watch: boolean;
  readonly logger: Logger;
  /** What is in use until now, where this store takes the place of another: it goes on counting generations from there. */
  readonly previous?: TrustSnapshot;
  /** Why it is opened. Default `start`. */
  readonly trigger?: 'start' | 'config';
  /** The last question before a set takes the place of `current`; see {@link Trial}. Default: it passes. */
  readonly trial?: Trial;
  /** Told of every reload, the first included, such as to count it. Default: nobody. */
  readonly onReload?: (trigger: ReloadTrigger, result: ReloadResult) => void;
  /** The clock that certificates are judged by. Default: the system's. */
  readonly now?: () => Date;
}

/** One writer of trust snapshots, many readers. */
export interface CredentialsStore extends AsyncDisposable {
  /** Always a good set. Published anew only when the source says something else. */
  readonly snapshot: ObservableValue<TrustSnapshot>;
  readonly state: ObservableValue<CredentialsState>;
  /** Where the credentials come from. */
  readonly spec: CredentialSpec;
  /** Reads the source again. Never rejects; after {@link close} it does nothing and answers `unchanged`. */
  reload(trigger: ReloadTrigger): Promise<ReloadResult>;
  /** Reads the source this often from now on, in milliseconds. */
  refreshEvery(intervalMs: number): void;
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
  const { spec, watch, logger, previous } = options;
  const source = await openCredentialSource(spec, { watch, logger, onChange });
  const loading = await loadSnapshot(source, previous, clockOf(options)(), {
    trial: options.trial,
    isOtherSource: true,
  });
  if (loading.result === 'ok') return new SourceCredentialsStore(options, loading.snapshot, source);
  if (loading.result === 'unchanged' && previous !== undefined)
    return new SourceCredentialsStore(options, readAt(loading.place, previous), source);
  await source.close();
  throw credentialsInvalid(loading.result === 'failed' ? loading.problems : []);
}

function warningsOf(loading: Loading): readonly string[] | undefined {
  return loading.result === 'unchanged' ? loading.warnings : takenOf(loading)?.warnings;
}

/** The same snapshot where nothing of it is told otherwise. */
function readAt(place: string, snapshot: TrustSnapshot): TrustSnapshot {
  return snapshot.own.place === place ? snapshot : { ...snapshot, own: { ...snapshot.own, place } };
}

/** What takes the place of the set in use, if anything. */
function takenOf(loading: Loading): TrustSnapshot | undefined {
  if (loading.result === 'unchanged') return undefined;
  return loading.result === 'ok' ? loading.snapshot : loading.trust;
}

function clockOf(options: CredentialsStoreOptions): () => Date {
  return options.now ?? (() => new Date());
}

/**
 * S1. The snapshot is replaced by a set that was found usable, or not at all. Where only the new certificate cannot be
 *     used, the set is the old certificate with the new anchors and CRLs; the reload has failed all the same.
 * S2. One reading at a time, in the order in which they were asked for.
 * S3. While the set cannot be used it is read again after growing waits, whatever else triggers a reading.
 */
class SourceCredentialsStore implements CredentialsStore {
  readonly #options: CredentialsStoreOptions;
  readonly #now: () => Date;
  readonly #snapshot: MutableValue<TrustSnapshot>;
  readonly #state: MutableValue<CredentialsState>;
  readonly #log: ReloadLog;
  readonly #schedule: ReloadSchedule;
  readonly #source: CredentialSource;
  #queue: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: CredentialsStoreOptions, first: TrustSnapshot, source: CredentialSource) {
    this.#options = options;
    this.#now = clockOf(options);
    this.#source = source;
    this.#snapshot = new MutableValue(first);
    this.#state = new MutableValue<CredentialsState>({
      lastReload: first.loadedAt,
      lastResult: 'ok',
      problems: [],
      warnings: first.warnings,
    });
    this.#log = new ReloadLog(options.logger);
    const { trigger = 'start' } = options;
    this.#log.loaded(trigger, first);
    this.#schedule = new ReloadSchedule(() => this.#reloadUnasked('poll'));
    this.#schedule.refreshEvery(options.refreshIntervalMs);
    options.onReload?.(trigger, this.#resultOf('ok'));
  }

  get snapshot(): ObservableValue<TrustSnapshot> {
    return this.#snapshot;
  }

  get state(): ObservableValue<CredentialsState> {
    return this.#state;
  }

  get spec(): CredentialSpec {
    return this.#options.spec;
  }

  reload(trigger: ReloadTrigger): Promise<ReloadResult> {
    return this.#enqueue(async () => {
      if (this.#isClosed) return this.#resultOf('unchanged');
      const current = this.#snapshot.value;
      const { trial } = this.#options;
      return this.#conclude(trigger, await loadSnapshot(this.#source, current, this.#now(), { trial }));
    });
  }

  refreshEvery(intervalMs: number): void {
    if (!this.#isClosed) this.#schedule.refreshEvery(intervalMs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#queue;
    this.#schedule.close();
    await this.#source.close();
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
    const trusted = takenOf(loading) ?? this.#snapshot.value;
    const problems = loading.result === 'failed' ? loading.problems : [];
    const warnings = warningsOf(loading) ?? this.#state.value.warnings;
    if (loading.result === 'failed') {
      this.#log.failed(trigger, problems, trusted.generation);
      if (loading.trust !== undefined) this.#log.trustLoaded(trigger, loading.trust);
      this.#schedule.failed();
    } else {
      if (loading.result === 'ok') this.#log.loaded(trigger, trusted);
      else this.#log.unchanged(trigger, trusted.generation, warnings);
      this.#schedule.succeeded();
    }
    this.#snapshot.set(trusted);
    this.#state.set({ lastReload: this.#now(), lastResult: loading.result, problems, warnings });
    const result = this.#resultOf(loading.result, problems);
    this.#options.onReload?.(trigger, result);
    return result;
  }

  #resultOf(result: ReloadResult['result'], problems: readonly CredentialProblem[] = []): ReloadResult {
    return { result, generation: this.#snapshot.value.generation, problems };
  }
}
