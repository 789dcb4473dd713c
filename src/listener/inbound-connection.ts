import type { Duplex } from 'node:stream';
import * as grpc from '@grpc/grpc-js';
import type { CloseReason } from '../errors/refusal-reason.ts';
import type { Caller } from '../rpc/caller.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type CallCounter, callInterceptor } from './call-interceptor.ts';
import type { AuthorizeCall } from './listener-policy.ts';

/** Why calls over a connection were cut, told to each caller in its status. */
const CUT_DETAIL: { readonly [Reason in CloseReason]?: string } = {
  mode_changed: 'this node no longer accepts this kind of connection (mode_changed)',
  node_draining: 'the node is draining and the call outlived the drain timeout (node_draining)',
};

/** How long a cut peer may take to read the last statuses; it closes the connection itself when it has. */
const LAST_STATUS_MS = 3_000;

export interface InboundConnectionParts {
  readonly server: grpc.Server;
  readonly socket: Duplex;
  readonly caller: Caller;
  readonly authorize: AuthorizeCall;
  readonly metrics: Metrics;
  readonly onClosed: (connection: InboundConnection) => void;
}

/**
 * One admitted connection: its own injector into the shared grpc-js `Server`, so that it can be held, counted and
 * drained alone.
 *
 * C1. The caller is bound once; every call of this connection has that caller.
 * C2. `drain` lets running calls finish, refuses new ones, and after its grace ends what is left with UNAVAILABLE and
 *     the reason; it is safe to call twice (the first reason stays).
 */
export class InboundConnection {
  readonly caller: Caller;
  readonly openedAt: Date = new Date();
  readonly #socket: Duplex;
  readonly #injector: grpc.ConnectionInjector;
  readonly #calls: CallCounter = { active: new Set() };
  readonly closed: Promise<void>;
  #closeReason: CloseReason | undefined;
  #cutTimer: NodeJS.Timeout | undefined;

  constructor(parts: InboundConnectionParts) {
    this.caller = parts.caller;
    this.#socket = parts.socket;
    const interceptor = callInterceptor(parts.caller, parts.authorize, this.#calls, parts.metrics);
    const credentials = grpc.experimental.createServerCredentialsWithInterceptors(
      grpc.ServerCredentials.createInsecure(),
      [interceptor],
    );
    this.#injector = parts.server.createConnectionInjector(credentials);
    let failed = false;
    this.#socket.on('error', () => {
      failed = true;
    });
    this.closed = new Promise(resolve => {
      this.#socket.once('close', () => {
        clearTimeout(this.#cutTimer);
        this.#closeReason ??= failed ? 'connection_error' : 'peer_closed';
        this.#injector.destroy();
        parts.onClosed(this);
        resolve();
      });
    });
    this.#injector.injectConnection(this.#socket);
  }

  get id(): number {
    return this.caller.connectionId;
  }

  get activeCalls(): number {
    return this.#calls.active.size;
  }

  /** Why it ended or is ending; undefined while it serves. */
  get closeReason(): CloseReason | undefined {
    return this.#closeReason;
  }

  /** Resolves when the connection is closed, at the latest a moment after `graceMs`. */
  drain(reason: CloseReason, graceMs: number): Promise<void> {
    if (this.#closeReason !== undefined) return this.closed;
    this.#closeReason = reason;
    this.#injector.drain(graceMs + 2 * LAST_STATUS_MS);
    this.#cutTimer = setTimeout(() => this.#cut(reason), graceMs);
    return this.closed;
  }

  #cut(reason: CloseReason): void {
    for (const cut of [...this.#calls.active]) cut(CUT_DETAIL[reason] ?? `the connection was closed (${reason})`);
    // The statuses are on their way; a peer that does not read them is not waited for.
    this.#cutTimer = setTimeout(() => this.#socket.destroy(), LAST_STATUS_MS);
  }
}
