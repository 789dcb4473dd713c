import { isDeepStrictEqual } from 'node:util';
import type { CredentialProblem } from '../credentials/credential-problem.ts';
import { type CredentialsStore, openCredentialsStore, type ReloadTrigger } from '../credentials/credentials-store.ts';
import type { PeerUsage } from '../credentials/judge-peer.ts';
import type { CredentialSpec } from '../credentials/open-credential-source.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { ExpiryWatch } from './expiry-watch.ts';
import type { TlsProfileSettings, TlsSettings } from './node-settings.ts';

/** One set of credentials and what it is used for. */
export interface UsedCredentials {
  /** `server`, `client`, `profile blue`, ... the first of its uses. */
  readonly usage: string;
  readonly store: CredentialsStore;
}

/** A use of credentials that [networking.tls] does not name, such as towards etcd. */
export interface CredentialUse {
  readonly usage: string;
  readonly spec: CredentialSpec;
}

/** Credentials that are open, and not used yet where they were not before. */
export interface PreparedCredentials {
  readonly tls: TlsSettings | undefined;
  readonly others: readonly CredentialUse[];
  readonly stores: readonly CredentialsStore[];
  /** Of these, those that were not open before. */
  readonly opened: readonly CredentialsStore[];
}

/** A new set of credentials, found usable by itself, and what it would take the place of. */
export interface CredentialTrial {
  readonly candidate: TrustSnapshot;
  readonly current: TrustSnapshot;
  /** What the set is used as between members; empty where only profiles use it. */
  readonly usages: readonly PeerUsage[];
  /** The settings it would be used under. */
  readonly tls: TlsSettings;
  /** What listener and connector would use then; undefined where that is not open yet. */
  readonly server: TrustSnapshot | undefined;
  readonly client: TrustSnapshot | undefined;
}

/** Answers why a new set must not be taken into use; empty: it may. Must not throw. */
export type TryCredentials = (trial: CredentialTrial) => Promise<readonly CredentialProblem[]>;

/** The outcome of reading all sets again: the worst of them. */
export interface CredentialsReload {
  readonly result: 'ok' | 'unchanged' | 'failed';
  readonly problems: readonly string[];
  readonly generation: number;
}

const DEFAULT_REFRESH_INTERVAL_MS = 3_600_000;

/**
 * All credentials of a node, one store for each different source.
 *
 * N1. What is adopted is adopted as a whole: every new source is read before any old one is let go, and until `commit` nothing
 *     is another one for those who use the old ones.
 * N2. A source that takes the place of another for some use goes on where that was: its generations grow, and it must not
 *     lose what the other had.
 */
export class CredentialSet {
  /** Of the certificates in use; those of peers are for others to add. */
  readonly expiry: ExpiryWatch;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #server = new MutableValue<TrustSnapshot | undefined>(undefined);
  #stopServer: () => void = () => {};
  #stores: readonly CredentialsStore[] = [];
  #prepared: readonly CredentialsStore[] = [];
  #tls: TlsSettings | undefined;
  #others: readonly CredentialUse[] = [];
  #isStarted = false;
  /** Settings that are about to take the place of those in use: new sets are tried under them already. */
  #coming: TlsSettings | undefined;
  readonly #tryOut: TryCredentials;

  /** @param tryOut the last question before a set takes the place of another. Default: it passes. */
  constructor(logger: Logger, metrics: Metrics, tryOut: TryCredentials = async () => []) {
    this.#logger = logger;
    this.#metrics = metrics;
    this.#tryOut = tryOut;
    this.expiry = new ExpiryWatch(logger, metrics);
  }

  /** What the listener shows and trusts; undefined without credentials. */
  get server(): ObservableValue<TrustSnapshot | undefined> {
    return this.#server;
  }

  /** Stores by use; sources that are the same share one. */
  get used(): readonly UsedCredentials[] {
    const uses = usesOf(this.#tls, this.#others).map(({ usage, spec }) => ({ usage, store: this.storeOf(spec) }));
    return uses.filter(({ store }, index) => uses.findIndex(other => other.store === store) === index);
  }

  storeOf(spec: CredentialSpec): CredentialsStore {
    const store = [...this.#stores, ...this.#prepared].find(candidate => isDeepStrictEqual(candidate.spec, spec));
    if (store === undefined) throw new TypeError('no such credentials are open');
    return store;
  }

  /** `prepare` and `commit` in one. @throws credentials_invalid, with nothing changed. */
  async adopt(tls: TlsSettings | undefined, others: readonly CredentialUse[] = []): Promise<void> {
    await this.commit(await this.prepare(tls, others));
  }

  /**
   * Opens what `tls` and `others` name and is not open yet; nothing uses it before `commit`, unless it is asked for by
   * {@link storeOf}. Then either `commit` or `discard`, before the next one.
   * @throws credentials_invalid, with nothing changed.
   */
  async prepare(tls: TlsSettings | undefined, others: readonly CredentialUse[] = []): Promise<PreparedCredentials> {
    const stores: CredentialsStore[] = [];
    const opened: CredentialsStore[] = [];
    this.#coming = tls;
    try {
      for (const { usage, spec } of usesOf(tls, others)) {
        if (stores.some(store => isDeepStrictEqual(store.spec, spec))) continue;
        const known = this.#stores.find(store => isDeepStrictEqual(store.spec, spec));
        const store = known ?? (await this.#open(spec, usage, refreshIntervalOf(tls), this.#usedFor(usage)));
        if (known === undefined) opened.push(store);
        stores.push(store);
      }
    } catch (error) {
      await closeAll(opened);
      throw error;
    } finally {
      this.#coming = undefined;
    }
    this.#prepared = opened;
    return { tls, others, stores, opened };
  }

  /** Uses what was prepared, and lets go of what is no longer named. */
  async commit({ tls, others, stores }: PreparedCredentials): Promise<void> {
    const refreshIntervalMs = refreshIntervalOf(tls);
    const isOtherInterval = refreshIntervalOf(this.#tls) !== refreshIntervalMs;
    const dropped = this.#stores.filter(store => !stores.includes(store));
    if (isOtherInterval) for (const store of stores) store.refreshEvery(refreshIntervalMs);
    this.#prepared = [];
    this.#stores = stores;
    this.#tls = tls;
    this.#others = others;
    this.#isStarted = true;
    this.#followServer();
    this.#followExpiry();
    this.#showFailing();
    await closeAll(dropped);
  }

  discard({ opened }: PreparedCredentials): Promise<void> {
    this.#prepared = [];
    return closeAll(opened);
  }

  /**
   * @param coming settings that are about to take the place of those in use: only their sources count, and new sets are
   * tried under them. One such call at a time.
   * @param others as `adopt` will take them.
   */
  async reload(
    trigger: ReloadTrigger,
    coming?: TlsSettings,
    others: readonly CredentialUse[] = this.#others,
  ): Promise<CredentialsReload> {
    const specs = usesOf(coming ?? this.#tls, others).map(use => use.spec);
    const stores = this.#stores.filter(store => specs.some(each => isDeepStrictEqual(each, store.spec)));
    if (coming !== undefined) this.#coming = coming;
    const results = await Promise.all(stores.map(store => store.reload(trigger))).finally(() => {
      if (coming !== undefined) this.#coming = undefined;
    });
    const worst = (['failed', 'ok'] as const).find(result => results.some(each => each.result === result));
    return {
      result: worst ?? 'unchanged',
      problems: results.flatMap(({ problems }) => problems.map(({ file, problem }) => `${file}: ${problem}`)),
      generation: this.#server.value?.generation ?? 0,
    };
  }

  async close(): Promise<void> {
    this.#stopServer();
    this.expiry.close();
    await closeAll([...this.#stores, ...this.#prepared]);
  }

  #usedFor(usage: string): TrustSnapshot | undefined {
    const use = usesOf(this.#tls, this.#others).find(each => each.usage === usage);
    return use === undefined ? undefined : this.storeOf(use.spec).snapshot.value;
  }

  #open(
    spec: CredentialSpec,
    usage: string,
    refreshIntervalMs: number,
    previous: TrustSnapshot | undefined,
  ): Promise<CredentialsStore> {
    const metrics = this.#metrics;
    return openCredentialsStore({
      spec,
      refreshIntervalMs,
      ...(previous === undefined ? {} : { previous }),
      trigger: this.#isStarted ? 'config' : 'start',
      watch: true,
      trial: (candidate, current) => this.#try(spec, candidate, current),
      logger: this.#logger.child({ usage }),
      onReload: (trigger, { result }) => {
        if (trigger !== 'start') metrics.tlsReloads.inc({ result });
        if (result !== 'failed') metrics.tlsReloadSuccess.set(Date.now() / 1_000);
        this.#showFailing();
      },
    }).then(store => {
      store.snapshot.subscribe(() => this.#followExpiry());
      return store;
    });
  }

  #try(spec: CredentialSpec, candidate: TrustSnapshot, current: TrustSnapshot): Promise<readonly CredentialProblem[]> {
    const isThis = (other: CredentialSpec) => isDeepStrictEqual(other, spec);
    const usagesIn = (tls: TlsSettings) =>
      (['server', 'client'] as const).filter(usage => isThis(tls[`${usage}Credentials`]));
    const [running, coming] = [this.#tls, this.#coming];
    // What settings that come would not use any more is still used until they are taken, and they may not be.
    const tls = coming !== undefined && (running === undefined || usagesIn(coming).length > 0) ? coming : running;
    if (tls === undefined) return Promise.resolve([]);
    const snapshotOf = (of: CredentialSpec) =>
      isThis(of) ? candidate : this.#stores.find(store => isDeepStrictEqual(store.spec, of))?.snapshot.value;
    const usedAs = [running, coming].flatMap(settings => (settings === undefined ? [] : usagesIn(settings)));
    const usages = (['server', 'client'] as const).filter(usage => usedAs.includes(usage));
    const [server, client] = [snapshotOf(tls.serverCredentials), snapshotOf(tls.clientCredentials)];
    return this.#tryOut({ candidate, current, usages, tls, server, client });
  }

  #followExpiry(): void {
    this.expiry.followOwn(
      this.used.flatMap(({ usage, store }) => {
        const { own, anchors } = store.snapshot.value;
        const authorities = [...own.intermediates, ...anchors.map(({ identity }) => identity)];
        return [{ usage, identity: own.identity }, ...authorities.map(identity => ({ usage: 'ca', identity }))];
      }),
    );
  }

  #showFailing(): void {
    const { tlsReloadFailing } = this.#metrics;
    tlsReloadFailing.reset();
    for (const { usage, store } of this.used)
      tlsReloadFailing.set({ usage }, store.state.value.lastResult === 'failed' ? 1 : 0);
  }

  #followServer(): void {
    this.#stopServer();
    const store = this.#tls === undefined ? undefined : this.storeOf(this.#tls.serverCredentials);
    const follow = (snapshot: TrustSnapshot | undefined) => {
      this.#server.set(snapshot);
      this.#metrics.tlsGeneration.set(snapshot?.generation ?? 0);
    };
    follow(store?.snapshot.value);
    this.#stopServer = store?.snapshot.subscribe(follow) ?? (() => {});
  }
}

/** What the credentials of a profile are called wherever those of the server and the client are: `profile blue`. */
export function profileUsage({ name }: Pick<TlsProfileSettings, 'name'>): string {
  return `profile ${name}`;
}

function usesOf(tls: TlsSettings | undefined, others: readonly CredentialUse[]): readonly CredentialUse[] {
  if (tls === undefined) return others;
  return [
    { usage: 'server', spec: tls.serverCredentials },
    { usage: 'client', spec: tls.clientCredentials },
    ...tls.profiles.map(profile => ({ usage: profileUsage(profile), spec: profile.credentials })),
    ...others,
  ];
}

function refreshIntervalOf(tls: TlsSettings | undefined): number {
  return tls?.refreshIntervalMs ?? DEFAULT_REFRESH_INTERVAL_MS;
}

async function closeAll(stores: readonly CredentialsStore[]): Promise<void> {
  await Promise.all(stores.map(store => store.close()));
}
