import { liveChange } from '../config/live-changes.ts';
import { type ConfigSources, formatConfigProblem, type LoadedConfig, loadConfig } from '../config/load-config.ts';
import { type ConfigProblem, isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import { Backoff } from '../lifecycle/backoff.ts';
import type { ReloadReport } from '../node/fabric-node.ts';
import type { FabricNodeOptions } from '../node/node-options.ts';
import type { Logger } from '../telemetry/logger.ts';

/** What a reload changes. */
export interface ReloadableNode {
  reload(next?: FabricNodeOptions): Promise<ReloadReport>;
  configurationProblem(problem: string | undefined): void;
}

export interface ConfigReloaderParts {
  readonly sources: ConfigSources;
  /** What the node runs with. */
  readonly loaded: LoadedConfig;
  readonly node: ReloadableNode;
  readonly logger: Logger;
}

/**
 * `start`: the file may have changed between its first reading and the watching. `retry`: the credentials that a rejected
 * change names may be there by now, or its source of members heard.
 */
export type ReloadCause = 'sighup' | 'file_changed' | 'start' | 'retry';

const RETRY = { initialMs: 1_000, maxMs: 30_000 };

/**
 * Reads the configuration again and hands it to the node.
 *
 * R1. One reload at a time, in the order they were asked for.
 * R2. A reload is taken as a whole or not at all, and says which in one line: `config.reloaded` or
 *     `config.reload_rejected` with its reason. What is compared is always what the node runs with.
 * R3. A change that was rejected for its credentials or its sources of members is tried again after 1 s and then growing waits of up to 30 s, until
 *     it is taken or the file says something else. The same rejection is said once.
 */
export class ConfigReloader {
  readonly #parts: ConfigReloaderParts;
  #running: LoadedConfig;
  #last: Promise<void> = Promise.resolve();
  #rejection: string | undefined;
  readonly #backoff = new Backoff(RETRY);
  #retryTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: ConfigReloaderParts) {
    this.#parts = parts;
    this.#running = parts.loaded;
  }

  /** Resolves when the reload was taken or rejected; never rejects. */
  reload(cause: ReloadCause): Promise<void> {
    this.#last = this.#last.then(() => this.#reload(cause));
    return this.#last;
  }

  /** Nothing is tried again from now on. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
  }

  async #reload(cause: ReloadCause): Promise<void> {
    clearTimeout(this.#retryTimer);
    if (cause !== 'retry') this.#backoff.reset();
    const { sources, node, logger } = this.#parts;
    try {
      const next = await loadConfig(sources);
      const { changed, restartRequired } = liveChange(this.#running.options, next.options);
      if (changed.length === 0 && cause === 'start') return;
      // Who edits a masked value shall hear why nothing happens.
      if (cause !== 'retry') logMasked(next, logger);
      // A signal asks for the credentials too, which are read again by the same call.
      if (changed.length === 0 && cause !== 'sighup') return this.#recovered();
      if (restartRequired.length > 0)
        return this.#rejected(cause, { reason: 'restart_required', keys: restartRequired });
      const { result, credentials, problems } = await node.reload(changed.length === 0 ? undefined : next.options);
      // Nothing but the credentials was to be taken, and those report for themselves.
      if (result === 'failed')
        return logger.error('config.reload_rejected', { cause, reason: 'credentials_invalid', problems });
      this.#running = next;
      this.#rejection = undefined;
      node.configurationProblem(undefined);
      logger.setLevel(next.settings.logLevel);
      logger.info('config.reloaded', { cause, changed, credentials });
    } catch (error) {
      this.#rejected(cause, rejectionOf(error));
    }
  }

  #rejected(cause: ReloadCause, rejection: Rejection): void {
    if (mayPass(rejection)) this.#retryLater();
    const before = this.#rejection;
    this.#rejection = JSON.stringify(rejection);
    if (cause === 'retry' && this.#rejection === before) return;
    this.#parts.logger.error('config.reload_rejected', { cause, ...rejection });
    this.#parts.node.configurationProblem(wordsOf(rejection));
  }

  #retryLater(): void {
    if (this.#isClosed) return;
    this.#retryTimer = setTimeout(() => void this.reload('retry'), this.#backoff.nextMs());
    this.#retryTimer.unref();
  }

  /** The file says again what the node runs with. */
  #recovered(): void {
    if (this.#rejection === undefined) return;
    this.#rejection = undefined;
    this.#parts.logger.info('config.recovered', {});
    this.#parts.node.configurationProblem(undefined);
  }
}

/** Why a change was not taken, as it stands in the log. */
type Rejection =
  | { readonly reason: 'restart_required'; readonly keys: readonly string[] }
  | { readonly reason: string; readonly problems: readonly (string | ConfigProblem)[] };

/** What stands in the way is not in the configuration, and may go without another word in it. */
function mayPass(rejection: Rejection): boolean {
  if (['credentials_invalid', 'membership_unavailable', 'node_name_held'].includes(rejection.reason)) return true;
  if (!('problems' in rejection)) return false;
  return rejection.problems.every(problem => typeof problem !== 'string' && problem.key === 'membership.source');
}

function wordsOf(rejection: Rejection): string {
  if ('keys' in rejection) return `${rejection.keys.join(', ')}: taken at a restart only`;
  const words = rejection.problems.map(problem =>
    typeof problem === 'string' ? problem : formatConfigProblem(problem),
  );
  return words.join(' ');
}

/** Says which values of the file have no effect, because the environment or `--set` stands above them. */
export function logMasked({ masked }: LoadedConfig, logger: Logger): void {
  if (masked.length > 0) logger.warn('config.masked', { values: masked });
}

function rejectionOf(error: unknown): Rejection {
  if (isSelvedgeError(error, 'restart_required')) return { reason: 'restart_required', keys: error.facts.keys };
  if (isSelvedgeError(error, 'config_invalid')) return { reason: error.code, problems: error.facts.problems };
  return { reason: isSelvedgeError(error) ? error.code : 'internal', problems: [messageOf(error)] };
}
