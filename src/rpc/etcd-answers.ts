import type { EtcdHeader, EtcdKeyValueMessage } from './etcd-messages.ts';

/** Which etcd answered, and as of which revision of its store. */
export interface EtcdMoment {
  /** Differs where another cluster answers than before. */
  readonly clusterId: string;
  readonly revision: number;
  /** Never falls while a cluster goes on; one that is made anew or restored begins at the start again. */
  readonly raftTerm: number;
}

/** One key as etcd has it. Texts are what the bytes are in UTF-8, whoever wrote them; not checked. */
export interface EtcdKeyValue {
  readonly key: string;
  readonly value: string;
  readonly modRevision: number;
  /** `0`: under none. */
  readonly lease: string;
}

/** One key was written, or deleted where `value` is undefined. */
export interface EtcdEvent {
  readonly key: string;
  readonly value: string | undefined;
  readonly modRevision: number;
}

/** @throws TypeError for what no etcd says. */
export function momentOf(header: EtcdHeader | null): EtcdMoment {
  if (header === null) throw new TypeError('the answer of etcd has no header');
  return { clusterId: header.clusterId, revision: revisionOf(header.revision), raftTerm: Number(header.raftTerm) };
}

/** @throws TypeError */
export function keyValueOf({ key, value, modRevision, lease }: EtcdKeyValueMessage): EtcdKeyValue {
  return { key: textOf(key), value: textOf(value), modRevision: revisionOf(modRevision), lease };
}

function revisionOf(text: string): number {
  const revision = Number(text);
  if (!Number.isSafeInteger(revision) || revision < 1) throw new TypeError('the answer of etcd has no revision');
  return revision;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
