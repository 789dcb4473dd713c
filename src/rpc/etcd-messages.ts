import type * as grpc from '@grpc/grpc-js';
import { loadProtos, serviceIn, type UnaryService } from './service.ts';

// Messages of proto/etcd/rpc.proto as they are loaded: 64-bit numbers are texts, since leases and cluster ids are greater
// than what a number holds.

export interface EtcdHeader {
  readonly clusterId: string;
  readonly revision: string;
  readonly raftTerm: string;
}

export interface EtcdKeyValueMessage {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly modRevision: string;
  readonly lease: string;
}

export interface RangeRequest {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
}

export interface RangeResponse {
  readonly header: EtcdHeader | null;
  readonly kvs: readonly EtcdKeyValueMessage[];
  readonly more: boolean;
}

export type CompareMessage = { readonly result: 'EQUAL'; readonly key: Uint8Array } & (
  | { readonly target: 'MOD'; readonly modRevision: string }
  | { readonly target: 'LEASE'; readonly lease: string }
  | { readonly target: 'VERSION'; readonly version: string }
);

export interface RequestOpMessage {
  readonly requestPut?: { readonly key: Uint8Array; readonly value: Uint8Array; readonly lease: string };
  readonly requestDeleteRange?: { readonly key: Uint8Array };
  readonly requestTxn?: TxnRequest;
}

export interface TxnRequest {
  readonly compare: readonly CompareMessage[];
  readonly success: readonly RequestOpMessage[];
}

export interface TxnResponse {
  readonly header: EtcdHeader | null;
  readonly succeeded: boolean;
}

export interface WatchRequest {
  readonly createRequest?: RangeRequest & { readonly startRevision: string };
  readonly progressRequest?: object;
}

export interface WatchResponse {
  readonly header: EtcdHeader | null;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: string;
  readonly cancelReason: string;
  readonly events: readonly { readonly type: 'PUT' | 'DELETE'; readonly kv: EtcdKeyValueMessage | null }[];
}

export interface LeaseGrantResponse {
  readonly ID: string;
  readonly TTL: string;
  readonly error: string;
}

export interface LeaseId {
  readonly ID: string;
}

export interface LeaseKeepAliveResponse {
  readonly ID: string;
  readonly TTL: string;
}

const definitions = loadProtos(['etcd/rpc.proto'], String);

export const etcdKv: UnaryService<{
  Range: { request: RangeRequest; response: RangeResponse };
  Txn: { request: TxnRequest; response: TxnResponse };
}> = { name: 'etcdserverpb.KV', definition: serviceIn(definitions, 'etcdserverpb.KV') };

const lease = serviceIn(definitions, 'etcdserverpb.Lease');

/** The unary methods of `Lease`. */
export const etcdLease: UnaryService<{
  LeaseGrant: { request: { readonly TTL: string }; response: LeaseGrantResponse };
  LeaseRevoke: { request: LeaseId; response: object };
}> = { name: 'etcdserverpb.Lease', definition: lease };

export const keepAliveMethod: grpc.MethodDefinition<LeaseId, LeaseKeepAliveResponse> =
  lease.LeaseKeepAlive as grpc.MethodDefinition<LeaseId, LeaseKeepAliveResponse>;

export const watchDefinition: grpc.ServiceDefinition = serviceIn(definitions, 'etcdserverpb.Watch');

export const watchMethod: grpc.MethodDefinition<WatchRequest, WatchResponse> =
  watchDefinition.Watch as grpc.MethodDefinition<WatchRequest, WatchResponse>;
