import { isDeepStrictEqual } from 'node:util';
import type { JSONWebKeySet } from 'jose';
import { isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import { openWatchedFile, type Rereading, type WatchedFile } from '../lifecycle/watched-file.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type Loaded, loadJwksFile, loadTokenFile } from './bearer-files.ts';
import type { BearerRules } from './bearer-judge.ts';
import type { BearerSettings } from './bearer-settings.ts';
import { JwtVerifier } from './jwt-verifier.ts';
import type { TokenEntry } from './token-file.ts';

export type BearerFile = 'tokens' | 'jwks';

export interface WatchedRulesParts {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Told why the newest content of a file could not be taken, or undefined. */
  readonly onProblem: (file: BearerFile, problem: string | undefined) => void;
}

/** Settings whose files were read and are watched, but are not in use yet. */
export interface PreparedRules {
  readonly settings: BearerSettings | undefined;
  readonly tokens: WatchedFile<Loaded<readonly TokenEntry[]>> | undefined;
  readonly jwks: WatchedFile<Loaded<JSONWebKeySet>> | undefined;
}

const NOBODY: BearerRules = { tokens: undefined, verifier: undefined, allowPlaintext: false };

/**
 * The rules that follow from the settings and from the files they name, watched.
 *
 * B1. `prepare` reads everything that is new and changes nothing; `commit` takes it as a whole.
 * B2. A file that is broken later leaves the rules as they were.
 */
export class WatchedBearerRules {
  readonly #parts: WatchedRulesParts;
  readonly #rules = new MutableValue<BearerRules>(NOBODY);
  #used: PreparedRules = { settings: undefined, tokens: undefined, jwks: undefined };
  #stop: readonly (() => void)[] = [];

  constructor(parts: WatchedRulesParts) {
    this.#parts = parts;
  }

  /** Another object after each change. */
  get rules(): ObservableValue<BearerRules> {
    return this.#rules;
  }

  /** @throws config_invalid for a file that is no good. */
  async prepare(settings: BearerSettings | undefined): Promise<PreparedRules> {
    if (isDeepStrictEqual(settings, this.#used.settings)) return this.#used;
    const tokens = await this.#open('tokens', settings?.tokenFile, loadTokenFile);
    try {
      return { settings, tokens, jwks: await this.#open('jwks', settings?.jwt?.jwksFile, loadJwksFile) };
    } catch (error) {
      await tokens?.close();
      throw error;
    }
  }

  async commit(next: PreparedRules): Promise<void> {
    const before = this.#used;
    if (next === before) return;
    for (const stop of this.#stop) stop();
    this.#used = next;
    const { settings, tokens, jwks } = next;
    const verifierOf = (keys: JSONWebKeySet) => settings?.jwt && new JwtVerifier(settings.jwt, keys);
    this.#stop = [
      tokens?.content.subscribe(({ content }) => this.#rules.set({ ...this.#rules.value, tokens: content })),
      jwks?.content.subscribe(({ content }) =>
        this.#rules.set({ ...this.#rules.value, verifier: verifierOf(content) }),
      ),
    ].filter(stop => stop !== undefined);
    this.#rules.set({
      tokens: tokens?.content.value.content,
      verifier: jwks && verifierOf(jwks.content.value.content),
      allowPlaintext: settings?.allowPlaintext ?? false,
    });
    if (tokens === undefined) this.#parts.onProblem('tokens', undefined);
    if (jwks === undefined) this.#parts.onProblem('jwks', undefined);
    await this.#letGo(before);
  }

  /** Lets go what was prepared and is not wanted after all. */
  async discard(prepared: PreparedRules): Promise<void> {
    if (prepared !== this.#used) await this.#letGo(prepared);
  }

  async close(): Promise<void> {
    for (const stop of this.#stop) stop();
    await this.#letGo(this.#used);
  }

  async #letGo({ tokens, jwks }: PreparedRules): Promise<void> {
    await Promise.all([tokens?.close(), jwks?.close()]);
  }

  async #open<Content>(
    kind: BearerFile,
    file: string | undefined,
    load: (file: string) => Promise<Loaded<Content>>,
  ): Promise<WatchedFile<Loaded<Content>> | undefined> {
    if (file === undefined) return undefined;
    const { logger, metrics, onProblem } = this.#parts;
    let told: readonly string[] = [];
    const warn = ({ warnings }: Loaded<Content>): void => {
      for (const problem of warnings)
        if (!told.includes(problem)) logger.warn('authentication.file_warning', { problem });
      told = warnings;
    };
    const onReload = (reading: Rereading<Loaded<Content>>): void => {
      const error = 'error' in reading ? reading.error : undefined;
      onProblem(kind, error === undefined ? undefined : messageOf(error));
      metrics.authenticationReloads.inc({ file: kind, result: error === undefined ? 'ok' : 'failed' });
      if ('content' in reading) {
        logger.info('authentication.file_changed', { file });
        return warn(reading.content);
      }
      const problems = isSelvedgeError(error, 'config_invalid') ? error.facts.problems : messageOf(error);
      logger.error('authentication.reload_failed', { file, problems });
    };
    const watched = await openWatchedFile({ file, load, isSame: isDeepStrictEqual, onReload });
    warn(watched.content.value);
    return watched;
  }
}
