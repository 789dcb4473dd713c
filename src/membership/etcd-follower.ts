import { Backoff, type BackoffOptions } from '../lifecycle/backoff.ts';
import type { EtcdClient, EtcdRange } from '../rpc/etcd-client.ts';
import { type EtcdFailure, etcdFailureOf } from '../rpc/etcd-failure.ts';
import type { EtcdEvents, EtcdWatch } from '../rpc/etcd-watch.ts';

export interface EtcdFollowerParts {
  readonly client: Pick<EtcdClient, 'rangeOf' | 'watch'>;
  readonly prefix: string;
  /** Waits between tries. */
  readonly retry: BackoffOptions;
  /** How often the server of the watch is asked whether it is there, in milliseconds. */
  readonly askEveryMs: number;
  readonly onRange: (range: EtcdRange) => void;
  /** `onRange` threw. */
  readonly onRangeError: (error: unknown) => void;
  readonly onEvents: (events: EtcdEvents) => void;
  /** From now on everything is heard as it happens. */
  readonly onFollowing: () => void;
  /** Nothing is heard, and why; told at each try that fails. */
  readonly onLost: (failure: EtcdFailure) => void;
}

/**
 * Hears what happens to the keys of a cluster until it is closed.
 *
 * F1. Each watch begins where a reading of everything ended, so that nothing between two watches is missed, whatever etcd
 *     has compacted meanwhile.
 * F2. What comes from an earlier watch or reading than the newest is not told.
 */
export class EtcdFollower {
  readonly #parts: EtcdFollowerParts;
  readonly #backoff: Backoff;
  #turn = 0;
  #watch: EtcdWatch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isReading = false;
  #isFollowing = false;
  #isClosed = false;

  constructor(parts: EtcdFollowerParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.retry);
    void this.#begin();
  }

  /** Whether everything is heard as it happens. */
  get isFollowing(): boolean {
    return this.#isFollowing;
  }

  /** Calls go over another connection now: begins anew there at once, unless it is about to. */
  restart(): void {
    if (!this.#isClosed && !this.#isReading) void this.#begin();
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  async #begin(): Promise<void> {
    this.#stop();
    const { client, prefix, askEveryMs, onRange, onRangeError, onEvents, onFollowing } = this.#parts;
    const turn = this.#turn;
    let range: EtcdRange;
    this.#isReading = true;
    try {
      range = await client.rangeOf(prefix);
    } catch (error) {
      if (turn === this.#turn) this.#lost(etcdFailureOf(error));
      return;
    }
    if (turn !== this.#turn) return;
    this.#isReading = false;
    try {
      onRange(range);
    } catch (error) {
      onRangeError(error);
      return this.#again();
    }
    // Whoever heard of it may have begun anew, or closed.
    if (turn !== this.#turn) return;
    this.#watch = client.watch(prefix, {
      startRevision: range.revision + 1,
      askEveryMs,
      onCreated: () => {
        this.#backoff.reset();
        this.#isFollowing = true;
        onFollowing();
      },
      onEvents,
      onEnd: end => (end.kind === 'compacted' ? this.#again() : this.#lost(end)),
    });
  }

  #lost(failure: EtcdFailure): void {
    this.#again();
    this.#parts.onLost(failure);
  }

  #again(): void {
    this.#stop();
    this.#timer = setTimeout(() => void this.#begin(), this.#backoff.nextMs()).unref();
  }

  #stop(): void {
    this.#turn += 1;
    this.#isReading = this.#isFollowing = false;
    clearTimeout(this.#timer);
    this.#watch?.close();
    this.#watch = undefined;
  }
}
