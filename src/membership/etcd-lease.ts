import { Backoff, type BackoffOptions } from '../lifecycle/backoff.ts';
import type { EtcdClient } from '../rpc/etcd-client.ts';

export interface EtcdLeaseParts {
  readonly client: Pick<EtcdClient, 'grantLease' | 'keepAlive' | 'revokeLease'>;
  readonly ttlMs: number;
  /** Waits between tries to keep it where etcd does not answer. */
  readonly retry: BackoffOptions;
  /** It ended: whoever needs it asks for another. */
  readonly onLost: () => void;
}

/**
 * One lease at a time, kept alive until it is closed. It is never thought lost because etcd is away: only etcd says so.
 */
export class EtcdLease {
  readonly #parts: EtcdLeaseParts;
  readonly #backoff: Backoff;
  #id: string | undefined;
  #granting: Promise<string> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: EtcdLeaseParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.retry);
  }

  /** Undefined while there is none. */
  get id(): string | undefined {
    return this.#id;
  }

  /** The lease there is, or else a new one. Rejects once it is closed. */
  granted(): Promise<string> {
    if (this.#isClosed) return Promise.reject(new TypeError('the lease is closed'));
    if (this.#id !== undefined) return Promise.resolve(this.#id);
    this.#granting ??= this.#grant().finally(() => {
      this.#granting = undefined;
    });
    return this.#granting;
  }

  /** It is known to be of no use. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#id = undefined;
  }

  /** Ends it, with all keys under it. Where etcd is away it ends when its time has passed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#granting?.catch(() => {});
    const id = this.#id;
    this.forget();
    if (id !== undefined) await this.#parts.client.revokeLease(id).catch(() => {});
  }

  /** Keeps it no longer, and leaves its end to etcd. */
  abandon(): void {
    this.#isClosed = true;
    this.forget();
  }

  async #grant(): Promise<string> {
    const { client, ttlMs } = this.#parts;
    const id = await client.grantLease(Math.ceil(ttlMs / 1_000));
    this.#id = id;
    this.#keepIn(ttlMs / 3);
    return id;
  }

  #keepIn(waitMs: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#keep(), waitMs).unref();
  }

  async #keep(): Promise<void> {
    const id = this.#id;
    if (id === undefined) return;
    let isThere: boolean;
    try {
      isThere = await this.#parts.client.keepAlive(id);
    } catch {
      if (id === this.#id) this.#keepIn(this.#backoff.nextMs());
      return;
    }
    if (id !== this.#id) return;
    this.#backoff.reset();
    if (isThere) return this.#keepIn(this.#parts.ttlMs / 3);
    this.forget();
    if (!this.#isClosed) this.#parts.onLost();
  }
}
