import { liveChange } from '../config/live-changes.ts';
import { type ConfigSources, formatConfigProblem, type LoadedConfig, loadConfig } from '../config/load-config.ts';
import { type ConfigProblem, isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
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

/** `start`: the file may have changed between its first reading and the watching. */
export type ReloadCause = 'sighup' | 'file_changed' | 'start';

/**
 * Reads the configuration again and hands it to the node.
 *
 * R1. One reload at a time, in the order they were asked for.
 * R2. A reload is taken as a whole or not at all, and says which in one line: `config.reloaded` or
 *     `config.reload_rejected` with its reason. What is compared is always what the node runs with.
 */
export class ConfigReloader {
  readonly #parts: ConfigReloaderParts;
  #running: LoadedConfig;
  #last: Promise<void> = Promise.resolve();
  #isRejected = false;

  constructor(parts: ConfigReloaderParts) {
    this.#parts = parts;
    this.#running = parts.loaded;
  }

  /** Resolves when the reload was taken or rejected; never rejects. */
  reload(cause: ReloadCause): Promise<void> {
    this.#last = this.#last.then(() => this.#reload(cause));
    return this.#last;
  }

  async #reload(cause: ReloadCause): Promise<void> {
    const { sources, node, logger } = this.#parts;
    try {
      const next = await loadConfig(sources);
      const { changed, restartRequired } = liveChange(this.#running.options, next.options);
      if (changed.length === 0 && cause === 'start') return;
      // Who edits a masked value shall hear why nothing happens.
      logMasked(next, logger);
      // A signal asks for the credentials too, which are read again by the same call.
      if (changed.length === 0 && cause === 'file_changed') return this.#recovered();
      if (restartRequired.length > 0)
        return this.#rejected(cause, { reason: 'restart_required', keys: restartRequired });
      const { result, problems } = await node.reload(changed.length === 0 ? undefined : next.options);
      if (result === 'failed')
        return this.#rejected(cause, { reason: 'credentials_invalid', problems }, changed.length > 0);
      this.#running = next;
      this.#isRejected = false;
      node.configurationProblem(undefined);
      logger.setLevel(next.settings.logLevel);
      logger.info('config.reloaded', { cause, changed, credentials: result });
    } catch (error) {
      this.#rejected(cause, rejectionOf(error));
    }
  }

  /** @param isOfFile false: the file says what the node runs with, and its credentials report for themselves. */
  #rejected(cause: ReloadCause, rejection: Rejection, isOfFile = true): void {
    this.#parts.logger.error('config.reload_rejected', { cause, ...rejection });
    if (!isOfFile) return;
    this.#isRejected = true;
    this.#parts.node.configurationProblem(wordsOf(rejection));
  }

  /** The file says again what the node runs with. */
  #recovered(): void {
    if (!this.#isRejected) return;
    this.#isRejected = false;
    this.#parts.logger.info('config.recovered', {});
    this.#parts.node.configurationProblem(undefined);
  }
}

/** Why a change was not taken, as it stands in the log. */
type Rejection =
  | { readonly reason: 'restart_required'; readonly keys: readonly string[] }
  | { readonly reason: string; readonly problems: readonly (string | ConfigProblem)[] };

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
