import * as grpc from '@grpc/grpc-js';
import { type EtcdKeyValue, type EtcdMoment, keyValueOf, momentOf } from './etcd-answers.ts';
import {
  type CompareMessage,
  etcdKv,
  etcdLease,
  keepAliveMethod,
  type LeaseKeepAliveResponse,
  type RangeRequest,
  type RequestOpMessage,
} from './etcd-messages.ts';
import { type EtcdWatch, type EtcdWatchParts, openEtcdWatch } from './etcd-watch.ts';
import { callUnary } from './service.ts';

/** What must hold of one key for a transaction to be done. A key that is not there has revision 0. */
export type EtcdCondition =
  | { readonly key: string; readonly modRevision: number }
  | { readonly key: string; readonly lease: string }
  /** Never true. */
  | { readonly key: string; readonly never: true };

/** One thing that a transaction does. `lease`: the key goes when that ends; undefined: it stays. */
export type EtcdWrite =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly lease?: string }
  | { readonly kind: 'delete'; readonly key: string }
  /** A transaction of its own within the transaction. */
  | { readonly kind: 'nested'; readonly writes: readonly EtcdWrite[] };

/** Keys and values below a prefix, all as of one revision. */
export interface EtcdRange extends EtcdMoment {
  readonly kvs: readonly EtcdKeyValue[];
}

export interface EtcdClientOptions {
  /** Of each call, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * What a node asks of etcd (v3 API), over a channel that belongs to others. Every call has a deadline and asks for a server
 * that has a leader. All reject with what {@link etcdFailureOf} puts into words.
 */
export class EtcdClient {
  readonly #client: grpc.Client;
  readonly #timeoutMs: number;

  constructor(channel: grpc.ChannelInterface, { timeoutMs }: EtcdClientOptions) {
    // ClientOptions asks for grpc-js's own class where its code needs the interface only.
    const options: Record<string, unknown> = { channelOverride: channel };
    this.#client = new grpc.Client(channel.getTarget(), grpc.credentials.createInsecure(), options);
    this.#timeoutMs = timeoutMs;
  }

  /** All keys that begin with `prefix`, of now: what was written before this call is among it. */
  async rangeOf(prefix: string): Promise<EtcdRange> {
    return this.#range(rangeOfPrefix(prefix));
  }

  async get(key: string): Promise<EtcdKeyValue | undefined> {
    return (await this.#range({ key: Buffer.from(key) })).kvs[0];
  }

  /** Does all of `writes` at once where all of `conditions` hold, else nothing. Answers whether it did. */
  async transact(conditions: readonly EtcdCondition[], writes: readonly EtcdWrite[]): Promise<boolean> {
    const request = { compare: conditions.map(compareOf), success: writes.map(operationOf) };
    const response = await callUnary(this.#client, etcdKv, 'Txn', request, this.#options());
    return response.succeeded;
  }

  /** @returns the id of a new lease. */
  async grantLease(ttlSeconds: number): Promise<string> {
    const request = { TTL: String(ttlSeconds) };
    const response = await callUnary(this.#client, etcdLease, 'LeaseGrant', request, this.#options());
    if (response.error !== '' || response.ID === '0') throw new TypeError(`etcd grants no lease: ${response.error}`);
    return response.ID;
  }

  /** Ends a lease with all keys under it. */
  async revokeLease(id: string): Promise<void> {
    await callUnary(this.#client, etcdLease, 'LeaseRevoke', { ID: id }, this.#options());
  }

  /** @returns whether the lease is there; its time begins anew then. */
  keepAlive(id: string): Promise<boolean> {
    const { path, requestSerialize, responseDeserialize } = keepAliveMethod;
    const { metadata } = this.#options();
    const deadline = Date.now() + this.#timeoutMs;
    const call = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, {
      deadline,
    });
    return new Promise((resolve, reject) => {
      call.on('data', (response: LeaseKeepAliveResponse) => {
        resolve(Number(response.TTL) > 0);
        call.end();
      });
      call.on('error', reject);
      call.on('end', () => reject(new TypeError('etcd ended the call that keeps the lease without an answer')));
      call.write({ ID: id });
    });
  }

  /** Hears of all changes of keys that begin with `prefix`, from a revision on. */
  watch(prefix: string, parts: Omit<EtcdWatchParts, 'client' | 'range' | 'metadata' | 'timeoutMs'>): EtcdWatch {
    const range = rangeOfPrefix(prefix);
    const { metadata } = this.#options();
    return openEtcdWatch({ ...parts, client: this.#client, range, metadata, timeoutMs: this.#timeoutMs });
  }

  async #range(request: RangeRequest): Promise<EtcdRange> {
    const { header, kvs, more } = await callUnary(this.#client, etcdKv, 'Range', request, this.#options());
    if (more) throw new TypeError('the answer of etcd is not whole');
    return { ...momentOf(header), kvs: kvs.map(keyValueOf) };
  }

  #options(): { readonly timeoutMs: number; readonly metadata: grpc.Metadata } {
    const metadata = new grpc.Metadata();
    metadata.set('hasleader', 'true');
    return { timeoutMs: this.#timeoutMs, metadata };
  }
}

function compareOf(condition: EtcdCondition): CompareMessage {
  const common = { result: 'EQUAL', key: Buffer.from(condition.key) } as const;
  if ('lease' in condition) return { ...common, target: 'LEASE', lease: condition.lease };
  if ('never' in condition) return { ...common, target: 'VERSION', version: '-1' };
  return { ...common, target: 'MOD', modRevision: String(condition.modRevision) };
}

function operationOf(write: EtcdWrite): RequestOpMessage {
  if (write.kind === 'nested') return { requestTxn: { compare: [], success: write.writes.map(operationOf) } };
  const key = Buffer.from(write.key);
  if (write.kind === 'delete') return { requestDeleteRange: { key } };
  return { requestPut: { key, value: Buffer.from(write.value), lease: write.lease ?? '0' } };
}

/** Every prefix here ends in `/`, whose successor is `0`. */
function rangeOfPrefix(prefix: string): Required<RangeRequest> {
  const rangeEnd = Buffer.from(prefix);
  const last = rangeEnd.length - 1;
  rangeEnd[last] = (rangeEnd[last] ?? 0) + 1;
  return { key: Buffer.from(prefix), rangeEnd };
}
