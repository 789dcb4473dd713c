import type { Socket } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import type { EndReason, RefusalReason } from '../errors/refusal-reason.ts';
import type { Call, CallArguments } from '../rpc/grpc-call.ts';
import type { Security } from '../rpc/security.ts';
import { reasonMetadata } from '../rpc/status.ts';
import type { PlannedDial } from './dial-plan.ts';
import {
  type DialledFacts,
  FABRIC_CHANNEL_OPTIONS,
  FabricChannelCredentials,
  grpcTargetOf,
} from './fabric-channel-credentials.ts';
import type { CallCarrier, FacadeCall } from './facade-call.ts';
import { Liveness } from './liveness.ts';
import type { ConnectionHold } from './outbound-connections.ts';

export interface DialOptions {
  readonly connectTimeoutMs: number;
  readonly reconnectMaxDelayMs: number;
  readonly maxMessageBytes: number;
  /** A connection without calls ends after this long; the next call dials again. At least 1,000. */
  readonly idleTimeoutMs: number;
  /** How long calls may go on over a connection that was replaced for a reason. */
  readonly drainTimeoutMs: number;
}

/** What a dial tells the channel that made it. */
export interface DialOwner {
  stateChanged(dial: Dial): void;
  /** Its server may no longer be spoken to; another dial is to take its place. */
  withdrawn(dial: Dial, reason: RefusalReason, graceMs: number): void;
  /** Its server has another certificate, or soon needs one: while it is READY, another dial is to take its place. */
  expiring(dial: Dial): void;
}

/** Told of the connections that a dial makes. */
export interface DialWatcher {
  connected(socket: Socket, facts: DialledFacts, hold: ConnectionHold): void;
  failed(error: unknown): void;
}

/** What a closed channel still has to say is said by then. */
const LAST_BYTES_MS = 500;

/**
 * One grpc-js channel to one planned address. It reconnects by itself with the newest credentials; a change of the
 * plan makes a new one.
 *
 * D1. A retired dial takes no new calls and is closed when its last call ends. Where it is retired for a reason, calls
 *     that outlive the grace are cut with that reason; of several graces the one that ends first counts.
 * D2. `failure` is why the newest attempt failed, as far as our own handshake knows; undefined after a success.
 */
export class Dial implements CallCarrier {
  readonly #channel: grpc.Channel;
  readonly #options: DialOptions;
  readonly #owner: DialOwner;
  #planned: PlannedDial;
  readonly #calls = new Set<FacadeCall>();
  readonly #sockets = new Set<Socket>();
  readonly #liveness: Liveness;
  /** Its newest connection is to be replaced; where it is not READY yet, as soon as it is. */
  #isRenewalDue = false;
  #retired = false;
  #cutTimer: NodeJS.Timeout | undefined;
  #cutAtMs = Number.POSITIVE_INFINITY;
  #readyTimer: NodeJS.Timeout | undefined;
  #closed = false;
  failure: unknown;
  /** What protects the newest connection; undefined before the first. */
  security: Security | undefined;

  constructor(planned: PlannedDial, options: DialOptions, watcher: DialWatcher, owner: DialOwner) {
    this.#planned = planned;
    this.#options = options;
    this.#owner = owner;
    const security = () => this.#planned.security;
    const hold: ConnectionHold = {
      withdraw: (reason, graceMs) => owner.withdrawn(this, reason, graceMs),
      renew: () => {
        this.#isRenewalDue = true;
        owner.expiring(this);
      },
    };
    const credentials = new FabricChannelCredentials({
      get security() {
        return security();
      },
      timeoutMs: options.connectTimeoutMs,
      listener: {
        connected: (socket, facts) => {
          this.failure = undefined;
          this.#isRenewalDue = false;
          this.security = facts.security;
          this.#sockets.add(socket);
          socket.once('close', () => this.#sockets.delete(socket));
          // grpc-js does not call off a connection attempt of a channel that was closed meanwhile.
          if (this.#closed) socket.destroy();
          this.#expectReady(socket);
          watcher.connected(socket, facts, hold);
        },
        failed: error => {
          this.failure = error;
          watcher.failed(error);
        },
      },
    });
    this.#channel = new grpc.Channel(grpcTargetOf(planned.target.address), credentials, {
      ...FABRIC_CHANNEL_OPTIONS,
      'grpc.max_reconnect_backoff_ms': options.reconnectMaxDelayMs,
      'grpc.client_idle_timeout_ms': options.idleTimeoutMs,
      'grpc.max_receive_message_length': options.maxMessageBytes,
      'grpc.max_send_message_length': options.maxMessageBytes,
    });
    this.#liveness = new Liveness({
      // A channel that is READY gives new calls to its newest connection.
      socket: () => (this.state === grpc.connectivityState.READY ? [...this.#sockets].at(-1) : undefined),
      isAwaited: () => this.#calls.size > 0,
      ask: timeoutMs => askAnything(this.#channel, timeoutMs),
    });
    this.#watch(this.#channel.getConnectivityState(false));
  }

  get planned(): PlannedDial {
    return this.#planned;
  }

  /** Holds servers against what the newest plan says. It must be of the same epoch. */
  adopt(planned: PlannedDial): void {
    this.#planned = planned;
  }

  get state(): grpc.connectivityState {
    return this.#closed ? grpc.connectivityState.SHUTDOWN : this.#channel.getConnectivityState(false);
  }

  connect(): void {
    if (!this.#closed) this.#channel.getConnectivityState(true);
  }

  take(call: FacadeCall): void {
    this.#calls.add(call);
    this.#liveness.start();
    call.dispatch(this);
  }

  createCall(...args: CallArguments): Call {
    return this.#channel.createCall(...args);
  }

  release(call: FacadeCall): void {
    this.#calls.delete(call);
    this.#closeWhenDone();
  }

  /** @param reason why calls may not go on here for long; undefined: they may. */
  retire(reason?: EndReason, graceMs: number = this.#options.drainTimeoutMs): void {
    this.#retired = true;
    this.#closeWhenDone();
    const cutAtMs = performance.now() + graceMs;
    if (reason === undefined || this.#closed || cutAtMs >= this.#cutAtMs) return;
    this.#cutAtMs = cutAtMs;
    clearTimeout(this.#cutTimer);
    this.#cutTimer = setTimeout(() => {
      const detail = `the connection was replaced and the call outlived its grace (${reason})`;
      for (const call of [...this.#calls]) call.fail(grpc.status.UNAVAILABLE, detail, reasonMetadata(reason));
    }, graceMs);
    this.#cutTimer.unref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#cutTimer);
    this.#liveness.stop();
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
      this.#owner.stateChanged(this);
      if (next === grpc.connectivityState.READY && this.#isRenewalDue) this.#owner.expiring(this);
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

/** A call that every gRPC server answers, if only by saying that it knows no such method. */
function askAnything(channel: grpc.Channel, timeoutMs: number): Promise<void> {
  return new Promise(resolve => {
    const call = channel.createCall('/grpc.health.v1.Health/Check', Date.now() + timeoutMs, null, null, null);
    call.start(new grpc.Metadata(), {
      onReceiveMetadata: () => {},
      onReceiveMessage: () => {},
      onReceiveStatus: () => resolve(),
    });
    call.sendMessageWithContext({}, Buffer.alloc(0));
    call.halfClose();
  });
}
