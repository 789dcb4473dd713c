import type { Socket } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import type { CloseReason } from '../errors/refusal-reason.ts';
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
  /** How long calls may go on over a connection that was replaced for a reason. */
  readonly drainTimeoutMs: number;
}

/** What a closed channel still has to say is said by then. */
const LAST_BYTES_MS = 500;

/**
 * One grpc-js channel to one planned address. It reconnects by itself with the newest credentials; a change of the
 * plan makes a new one.
 *
 * D1. A retired dial takes no new calls and is closed when its last call ends. Where it is retired for a reason, calls
 *     that outlive the drain timeout are cut with that reason.
 * D2. `failure` is why the newest attempt failed, as far as our own handshake knows; undefined after a success.
 */
export class Dial {
  readonly planned: PlannedDial;
  readonly #channel: grpc.Channel;
  readonly #options: DialOptions;
  readonly #onState: (dial: Dial) => void;
  readonly #calls = new Set<FacadeCall>();
  readonly #sockets = new Set<Socket>();
  #retired = false;
  #cutTimer: NodeJS.Timeout | undefined;
  #readyTimer: NodeJS.Timeout | undefined;
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
          this.#sockets.add(socket);
          socket.once('close', () => this.#sockets.delete(socket));
          // grpc-js does not call off a connection attempt of a channel that was closed meanwhile.
          if (this.#closed) socket.destroy();
          this.#expectReady(socket);
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

  /** @param cutReason why calls may not go on here for long; undefined: they may. */
  retire(cutReason?: CloseReason): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#closeWhenDone();
    if (cutReason === undefined || this.#closed) return;
    this.#cutTimer = setTimeout(() => {
      const detail = `the connection was replaced and the call outlived the drain timeout (${cutReason})`;
      for (const call of [...this.#calls]) call.fail(grpc.status.UNAVAILABLE, detail);
    }, this.#options.drainTimeoutMs);
    this.#cutTimer.unref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#cutTimer);
    this.#channel.close();
    // Idle connections end at once; one that was still being made would stay for good.
    setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, LAST_BYTES_MS).unref();
  }

  #watch(state: grpc.connectivityState): void {
    this.#channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => {
      if (this.#closed) return;
      const next = this.#channel.getConnectivityState(false);
      if (next === grpc.connectivityState.READY) clearTimeout(this.#readyTimer);
      this.#watch(next);
      this.#onState(this);
    });
  }

  /**
   * grpc-js waits without a deadline for a server that accepts a connection and then says no SETTINGS. Once the
   * connection was READY it is none of this timer's business, whatever becomes of the channel.
   */
  #expectReady(socket: Socket): void {
    clearTimeout(this.#readyTimer);
    this.#readyTimer = setTimeout(() => socket.destroy(), this.#options.connectTimeoutMs);
    this.#readyTimer.unref();
  }

  #closeWhenDone(): void {
    if (this.#retired && this.#calls.size === 0) this.close();
  }
}
