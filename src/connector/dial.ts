import * as grpc from '@grpc/grpc-js';
import type { Security } from '../rpc/security.ts';
import type { PlannedDial } from './dial-plan.ts';
import {
  type DialListener,
  FABRIC_CHANNEL_OPTIONS,
  FabricChannelCredentials,
  grpcTargetOf,
} from './fabric-channel-credentials.ts';
import type { FacadeCall } from './facade-call.ts';

export interface DialOptions {
  readonly connectTimeoutMs: number;
  readonly reconnectMaxDelayMs: number;
  readonly maxMessageBytes: number;
  /** A retired dial whose calls still run is closed after this. */
  readonly drainTimeoutMs: number;
}

/**
 * One grpc-js channel to one planned address. It reconnects by itself with the newest credentials; a change of the
 * plan makes a new one.
 *
 * D1. A retired dial takes no new calls and is closed when its last call ends, at the latest after the drain timeout.
 * D2. `failure` is why the newest attempt failed, as far as our own handshake knows; undefined after a success.
 */
export class Dial {
  readonly planned: PlannedDial;
  readonly #channel: grpc.Channel;
  readonly #options: DialOptions;
  readonly #onState: (dial: Dial) => void;
  readonly #calls = new Set<FacadeCall>();
  #retired = false;
  #closed = false;
  failure: unknown;
  /** What protects the newest connection; undefined before the first. */
  security: Security | undefined;

  constructor(planned: PlannedDial, options: DialOptions, listener: DialListener, onState: (dial: Dial) => void) {
    this.planned = planned;
    this.#options = options;
    this.#onState = onState;
    const credentials = new FabricChannelCredentials({
      security: planned.security,
      timeoutMs: options.connectTimeoutMs,
      listener: {
        connected: (socket, facts) => {
          this.failure = undefined;
          this.security = facts.security;
          listener.connected?.(socket, facts);
        },
        failed: error => {
          this.failure = error;
          listener.failed?.(error);
        },
      },
    });
    this.#channel = new grpc.Channel(grpcTargetOf(planned.target.address), credentials, {
      ...FABRIC_CHANNEL_OPTIONS,
      'grpc.max_reconnect_backoff_ms': options.reconnectMaxDelayMs,
      'grpc.max_receive_message_length': options.maxMessageBytes,
      'grpc.max_send_message_length': options.maxMessageBytes,
    });
    this.#watch(this.#channel.getConnectivityState(false));
  }

  get state(): grpc.connectivityState {
    return this.#closed ? grpc.connectivityState.SHUTDOWN : this.#channel.getConnectivityState(false);
  }

  connect(): void {
    if (!this.#closed) this.#channel.getConnectivityState(true);
  }

  take(call: FacadeCall): void {
    this.#calls.add(call);
    call.dispatch(this.#channel);
  }

  /** To be told when a call ended or came back; others than its own are no news to it. */
  release(call: FacadeCall): void {
    this.#calls.delete(call);
    this.#closeWhenDone();
  }

  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    setTimeout(() => this.close(), this.#options.drainTimeoutMs).unref();
    this.#closeWhenDone();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#channel.close();
  }

  #watch(state: grpc.connectivityState): void {
    this.#channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => {
      if (this.#closed) return;
      const next = this.#channel.getConnectivityState(false);
      this.#watch(next);
      this.#onState(this);
    });
  }

  #closeWhenDone(): void {
    if (this.#retired && this.#calls.size === 0) this.close();
  }
}
