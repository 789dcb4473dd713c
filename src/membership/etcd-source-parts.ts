import type { BackoffOptions } from '../lifecycle/backoff.ts';
import type { KeptValue } from '../lifecycle/kept-value.ts';
import type { EtcdClient } from '../rpc/etcd-client.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { EtcdLeave } from './etcd-leave.ts';
import type { EtcdState } from './etcd-state.ts';

/** The way to etcd, which belongs to the source from when that is opened. */
export interface EtcdConnection {
  readonly client: EtcdClient;
  /** Calls go over another connection than before: what is long-lived should follow. Returns the function that stops it. */
  onMoved(listener: () => void): () => void;
  /** The server it goes to does not do: the next endpoint is tried first from now on. */
  tryAnother(): void;
  /** Who we are for etcd: the CN of the certificate that is shown; undefined where there is none. */
  user(): string | undefined;
  close(): void;
}

/** How long the source waits, in milliseconds. */
export interface EtcdTiming {
  /** So long an outage is no outage yet, such as while a connection takes the place of another. */
  readonly freezeAfterMs: number;
  /** How often a server is asked whether it still watches for us. */
  readonly askEveryMs: number;
  /** How often etcd's access control is tried. */
  readonly guardEveryMs: number;
  /** So much longer than a lease a start waits for a name that another process has. */
  readonly holdMarginMs: number;
  /** Leaving and closing take no longer than this together. */
  readonly endTimeoutMs: number;
  readonly retry: BackoffOptions;
}

export interface EtcdSourceParts {
  readonly connection: EtcdConnection;
  /** Of all keys of this cluster, with a slash at its end. */
  readonly prefix: string;
  readonly nodeName: string;
  readonly holderId: string;
  /** What was known when the node ran last; undefined: nothing. */
  readonly cache: KeptValue<EtcdState | undefined>;
  readonly leaseTtlMs: number;
  readonly leave: EtcdLeave;
  /** A start waits this long for etcd where there is a last known state, or else fails. */
  readonly startTimeoutMs: number;
  readonly allowUnguarded: boolean;
  readonly timing: EtcdTiming;
  readonly logger: Logger;
  /** Told of what an operator should know beside the standing; undefined: nothing. */
  readonly onProblem: (problem: string | undefined) => void;
}
