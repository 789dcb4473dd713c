import { liveChange } from '../config/live-changes.ts';
import { type ConfigSources, type LoadedConfig, loadConfig } from '../config/load-config.ts';
import { isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import type { ReloadReport } from '../node/fabric-node.ts';
import type { FabricNodeOptions } from '../node/node-options.ts';
import type { Logger } from '../telemetry/logger.ts';

/** What a reload changes. */
export interface ReloadableNode {
  reload(next?: FabricNodeOptions): Promise<ReloadReport>;
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
      if (changed.length === 0 && cause === 'file_changed') return;
      if (restartRequired.length > 0) {
        logger.error('config.reload_rejected', { cause, reason: 'restart_required', keys: restartRequired });
        return;
      }
      const { result, problems } = await node.reload(changed.length === 0 ? undefined : next.options);
      if (result === 'failed') {
        logger.error('config.reload_rejected', { cause, reason: 'credentials_invalid', problems });
        return;
      }
      this.#running = next;
      logger.setLevel(next.settings.logLevel);
      logger.info('config.reloaded', { cause, changed, credentials: result });
    } catch (error) {
      logger.error('config.reload_rejected', { cause, ...rejectionOf(error) });
    }
  }
}

/** Says which values of the file have no effect, because the environment or `--set` stands above them. */
export function logMasked({ masked }: LoadedConfig, logger: Logger): void {
  if (masked.length > 0) logger.warn('config.masked', { values: masked });
}

function rejectionOf(error: unknown): Readonly<Record<string, unknown>> {
  if (isSelvedgeError(error, 'restart_required')) return { reason: error.code, keys: error.facts.keys };
  if (isSelvedgeError(error, 'config_invalid')) return { reason: error.code, problems: error.facts.problems };
  return { reason: isSelvedgeError(error) ? error.code : 'internal', problems: [messageOf(error)] };
}
