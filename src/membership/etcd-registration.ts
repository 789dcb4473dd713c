import { isDeepStrictEqual } from 'node:util';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { Backoff, type BackoffOptions } from '../lifecycle/backoff.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import { OneAtATime } from '../lifecycle/one-at-a-time.ts';
import type { EtcdKeyValue } from '../rpc/etcd-answers.ts';
import type { EtcdClient, EtcdCondition, EtcdWrite } from '../rpc/etcd-client.ts';
import { etcdFailureOf } from '../rpc/etcd-failure.ts';
import { printable } from '../telemetry/logger.ts';
import { etcdKey } from './etcd-keys.ts';
import { EtcdLease } from './etcd-lease.ts';
import type { EtcdLeave } from './etcd-leave.ts';
import { type Registration, readHolderRecord, writeRecord } from './etcd-records.ts';
import { notGranted } from './etcd-words.ts';
import type { OwnWord } from './own-word.ts';

export interface EtcdRegistrationParts {
  readonly client: EtcdClient;
  readonly prefix: string;
  readonly nodeName: string;
  /** Random, and the same for all processes on a data directory: one after the other, they are the same holder. */
  readonly holderId: string;
  readonly own: ObservableValue<OwnWord>;
  /** Whether operators took this node out: it registers nothing then. */
  readonly isOut: () => boolean;
  /** Whether what happens in etcd is heard: only then is anything written again. */
  readonly isHeard: () => boolean;
  /** Whether etcd is known to be away: then it is asked for nothing more. */
  readonly isAway: () => boolean;
  readonly leaseTtlMs: number;
  /** {@link EtcdRegistration.take} waits so much longer than a lease lasts. */
  readonly holdMarginMs: number;
  /** Leaving and closing take no longer than this together. */
  readonly endTimeoutMs: number;
  readonly leave: EtcdLeave;
  readonly retry: BackoffOptions;
  /** Who we are for etcd, for messages; undefined where that is not known. */
  readonly user: () => string | undefined;
  /** Told why this node is not registered as it should be; undefined: it is. */
  readonly onProblem: (problem: string | undefined) => void;
}

/** Between two looks whether another process still holds our name. */
const HELD_LOOK_MS = 500;
/** So long it can be read that a node left cleanly. */
const LEFT_TTL_S = 86_400;
const LEASE_FORGOTTEN = /lease not found/;

/**
 * The name of this node in etcd, held under a lease, and what the node says of itself there.
 *
 * R1. The name is taken only where nobody has it, or an earlier process with the same data directory; never from another.
 * R2. The registration is written only in a transaction that holds if the name is ours under our lease.
 * R3. Where another source of this process took the name, such as with changed settings, that one goes on.
 * R4. Nothing is written again before it was read what is there: otherwise nobody could tell that it was gone (E2).
 * R5. What should stand there is written again whenever it does not: changed here, deleted or changed there, or forgotten
 *     by an etcd that was restored.
 * R6. Leaving and closing wait for what is under way, as long as there is time, and nothing is written after them. Who leaves
 *     says so in its record, which then goes by itself, so that nobody takes it for lost.
 */
export class EtcdRegistration {
  readonly #parts: EtcdRegistrationParts;
  readonly #holderKey: string;
  readonly #nodeKey: string;
  readonly #lease: EtcdLease;
  readonly #tending: OneAtATime;
  readonly #backoff: Backoff;
  readonly #unsubscribe: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isFollowing = false;
  #hasHeld = false;
  #hasRegistered = false;
  #isLeaving = false;
  #isClosed = false;
  #taking: Promise<void> | undefined;
  #endLeftMs: number;

  constructor(parts: EtcdRegistrationParts) {
    const { client, prefix, nodeName, leaseTtlMs, retry, own } = parts;
    this.#parts = parts;
    this.#holderKey = etcdKey(prefix, 'holders', nodeName);
    this.#nodeKey = etcdKey(prefix, 'nodes', nodeName);
    this.#backoff = new Backoff(retry);
    this.#endLeftMs = parts.endTimeoutMs;
    this.#tending = new OneAtATime(
      () => this.#tend(),
      error => this.#failed(error),
    );
    this.#lease = new EtcdLease({ client, ttlMs: leaseTtlMs, retry, onLost: () => this.look() });
    this.#unsubscribe = own.subscribe(() => this.look());
  }

  /** What only this process writes, and only a loss takes away; undefined where it may go by itself, or is not there yet. */
  get lastingKey(): string | undefined {
    const mayGo = this.#parts.leave === 'when-lost' || this.#parts.isOut() || this.#isLeaving;
    return this.#hasRegistered && !mayGo ? this.#nodeKey : undefined;
  }

  /**
   * Takes the name and registers, and waits for it where another process has it: as long as a lease lasts, and a little.
   * @throws member_removed, node_name_held, membership_not_writable, or as a call of the client.
   */
  take(): Promise<void> {
    this.#taking = this.#take();
    return this.#taking;
  }

  async #take(): Promise<void> {
    const { nodeName, leaseTtlMs, holdMarginMs, user } = this.#parts;
    const untilMs = performance.now() + leaseTtlMs + holdMarginMs;
    for (;;) {
      let heldBy: string | undefined;
      let isDone = false;
      if (this.#isLeaving || this.#isClosed) throw new TypeError('the registration is closed');
      try {
        heldBy = await this.#takeName();
        isDone = heldBy === undefined && (await this.#register());
      } catch (error) {
        if (etcdFailureOf(error).kind !== 'denied') throw error;
        const keys = `${this.#holderKey} and ${this.#nodeKey}`;
        throw new SelvedgeError('membership_not_writable', notGranted(user(), keys), { source: 'etcd' });
      }
      // Meanwhile too: whoever is removed while it waits is not to start.
      if (this.#parts.isOut()) throw memberRemoved(nodeName);
      if (isDone) return;
      if (heldBy === undefined) continue;
      if (performance.now() > untilMs) throw new SelvedgeError('node_name_held', heldBy, { node: nodeName });
      await new Promise(resolve => setTimeout(resolve, HELD_LOOK_MS));
    }
  }

  /** Keeps everything as it should be from now on. */
  follow(): void {
    this.#isFollowing = true;
    this.look();
  }

  /** Something may be otherwise than it should: looks, and sets it right. */
  look(): void {
    if (!this.#isFollowing || this.#isClosed || !this.#parts.isHeard()) return;
    clearTimeout(this.#timer);
    this.#tending.ask();
  }

  /** The node ends cleanly. Where that is configured its registration goes now. */
  async leave(): Promise<void> {
    if (this.#parts.leave !== 'when-drained' || this.#isLeaving || this.#isClosed) return;
    this.#isLeaving = true;
    await this.#inTime(async () => {
      await this.#settle();
      if (!this.#parts.isAway()) await this.#leave();
    });
  }

  /** Gives the name back, so that the next process need not wait for it. Where etcd is away that is when the lease ends. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unsubscribe();
    await this.#inTime(async () => {
      await this.#settle();
      if (this.#parts.isAway()) return;
      if (this.#parts.leave === 'when-lost') await this.#leave().catch(() => {});
      // By name too: a lease that somebody attached another key to can be ended only by who may write that key.
      await this.#whileOurs([{ kind: 'delete', key: this.#holderKey }]).catch(() => {});
      await this.#lease.close();
    });
    this.#lease.abandon();
  }

  /** Waits for what is under way; nothing more begins. */
  async #settle(): Promise<void> {
    this.#isFollowing = false;
    clearTimeout(this.#timer);
    await Promise.all([this.#tending.close(), this.#taking?.catch(() => {})]);
    clearTimeout(this.#timer);
  }

  async #inTime(end: () => Promise<void>): Promise<void> {
    const startedMs = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>(resolve => {
      timer = setTimeout(() => {
        this.#endLeftMs = 0;
        resolve();
      }, this.#endLeftMs);
    });
    await Promise.race([end().catch(error => this.#failed(error)), over]);
    clearTimeout(timer);
    this.#endLeftMs = Math.max(0, this.#endLeftMs - (performance.now() - startedMs));
  }

  async #leave(): Promise<void> {
    if (!this.#hasRegistered) return;
    const { client, own } = this.#parts;
    const value = writeRecord({ addresses: [], generation: own.value.generation, left: true });
    const lease = await client.grantLease(LEFT_TTL_S);
    await this.#whileOurs([{ kind: 'put', key: this.#nodeKey, value, lease }]);
  }

  async #tend(): Promise<void> {
    const heldBy = await this.#takeName();
    if (heldBy !== undefined) {
      this.#parts.onProblem(heldBy);
      return this.#lookAgain();
    }
    if (!(await this.#register())) return this.#lookAgain();
    this.#backoff.reset();
    this.#parts.onProblem(undefined);
  }

  /** @returns who has the name instead, in words. */
  async #takeName(): Promise<string | undefined> {
    const { client, holderId, own } = this.#parts;
    const holder = { id: holderId, generation: own.value.generation };
    const lease = await this.#lease.granted();
    for (;;) {
      const present = await client.get(this.#holderKey);
      if (present?.lease === lease) {
        this.#hasHeld = true;
        return undefined;
      }
      const heldBy = present === undefined ? undefined : this.#heldBy(present);
      if (heldBy !== undefined) return heldBy;
      const unchanged = { key: this.#holderKey, modRevision: present?.modRevision ?? 0 };
      const write = { kind: 'put', key: this.#holderKey, value: writeRecord(holder), lease } as const;
      if (await this.#write([unchanged], [write])) {
        this.#hasHeld = true;
        return undefined;
      }
    }
  }

  #heldBy({ value, lease }: EtcdKeyValue): string | undefined {
    const { nodeName, holderId, own } = this.#parts;
    const read = readHolderRecord(value);
    const whose = `the name ${nodeName} in etcd (${this.#holderKey}, lease ${lease})`;
    if ('problem' in read || read.value.id !== holderId) return `another process holds ${whose}`;
    if (read.value.generation < own.value.generation) return undefined;
    if (read.value.generation === own.value.generation)
      return this.#hasHeld ? `another source of this process holds ${whose}` : undefined;
    return `a later process with a copy of this data directory holds ${whose}`;
  }

  /** @returns whether it stands there as it should. */
  async #register(): Promise<boolean> {
    const { client, own, isOut, leave } = this.#parts;
    const lease = this.#lease.id;
    if (isOut() || this.#isLeaving) return true;
    if (lease === undefined) return false;
    const value = writeRecord(registrationOf(own.value));
    const keyLease = leave === 'when-lost' ? lease : '0';
    const present = await client.get(this.#nodeKey);
    if (!isDeepStrictEqual([present?.value, present?.lease], [value, keyLease])) {
      const isOurs = { key: this.#holderKey, lease };
      const write = { kind: 'put', key: this.#nodeKey, value, lease: keyLease } as const;
      if (!(await this.#write([isOurs], [write]))) return false;
    }
    this.#hasRegistered = true;
    return true;
  }

  /** Not while nothing is heard: a call may have waited for another connection, and that may lead to another store (R4). */
  async #write(conditions: readonly EtcdCondition[], writes: readonly EtcdWrite[]): Promise<boolean> {
    return this.#parts.isHeard() && this.#parts.client.transact(conditions, writes);
  }

  /** At the end, only while the name is ours and there is time. */
  async #whileOurs(writes: readonly EtcdWrite[]): Promise<void> {
    const lease = this.#lease.id;
    if (lease === undefined || this.#endLeftMs === 0) return;
    await this.#parts.client.transact([{ key: this.#holderKey, lease }], writes);
  }

  #failed(error: unknown): void {
    const { kind, problem } = etcdFailureOf(error);
    // A lease that etcd forgot is nothing but a reason for another one; that etcd is away, the standing of the source says.
    if (LEASE_FORGOTTEN.test(problem)) this.#lease.forget();
    else if (kind === 'denied') this.#parts.onProblem(notGranted(this.#parts.user(), this.#nodeKey));
    else if (kind === 'wrong') this.#parts.onProblem(printable(problem));
    this.#lookAgain();
  }

  #lookAgain(): void {
    if (this.#isClosed || this.#isLeaving) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.look(), this.#backoff.nextMs()).unref();
  }
}

function registrationOf({ addresses, labels, zone, weight, generation }: OwnWord): Registration {
  return { addresses, labels, ...(zone === undefined ? {} : { zone }), weight, generation };
}

export function memberRemoved(nodeName: string): SelvedgeError<'member_removed'> {
  return new SelvedgeError('member_removed', `${nodeName} was removed from the cluster`, { node: nodeName });
}
