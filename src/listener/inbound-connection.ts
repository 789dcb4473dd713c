import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { type EndReason, isRefusalReason, type RefusalReason } from '../errors/refusal-reason.ts';
import type { Caller } from '../rpc/caller.ts';
import { ConnectionCalls, type ConnectionCallsParts } from './connection-calls.ts';
import type { ConnectionStanding } from './connection-standing.ts';

/** Why calls over a connection were cut, told to each caller in its status. */
const CUT_DETAIL: { readonly [Reason in EndReason]?: string } = {
  mode_changed: 'this node no longer accepts this kind of connection (mode_changed)',
  node_draining: 'the node is draining and the call outlived the drain timeout (node_draining)',
};

/** How long a cut peer may take to read the last statuses; it closes the connection itself when it has. */
const LAST_STATUS_MS = 1_000;

export interface InboundConnectionParts extends ConnectionCallsParts {
  readonly server: grpc.Server;
  readonly socket: Duplex;
  readonly standing: ConnectionStanding;
  readonly onClosed: (connection: InboundConnection) => void;
}

/**
 * One admitted connection: its own injector into the shared grpc-js `Server`, so that it can be held, counted and
 * drained alone.
 *
 * `drain` lets running calls finish, refuses new ones, and after its grace ends what is left with UNAVAILABLE and
 * the reason. When it is called again the first reason stays, and the earlier end counts.
 */
export class InboundConnection {
  readonly standing: ConnectionStanding;
  readonly openedAt: Date = new Date();
  /** Those over HTTP/2, and those over the peer stream on it. */
  readonly calls: ConnectionCalls;
  readonly #socket: Duplex;
  readonly #injector: grpc.ConnectionInjector;
  readonly closed: Promise<void>;
  #closeReason: EndReason | undefined;
  #cutTimer: NodeJS.Timeout | undefined;
  #cutAtMs = Number.POSITIVE_INFINITY;

  constructor(parts: InboundConnectionParts) {
    this.standing = parts.standing;
    this.#socket = parts.socket;
    this.calls = new ConnectionCalls(parts);
    const credentials = grpc.experimental.createServerCredentialsWithInterceptors(
      grpc.ServerCredentials.createInsecure(),
      [this.calls.interceptor],
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
    return this.calls.caller.connectionId;
  }

  /** Of a call that would arrive now, as far as the standing is known. */
  get caller(): Caller {
    return this.calls.caller;
  }

  /** SHA-256 of the certificate that this node showed, lowercase hex; undefined where it showed none, or it is closed. */
  get ownFingerprint256(): string | undefined {
    if (!(this.#socket instanceof TLSSocket)) return undefined;
    return this.#socket.getX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase();
  }

  get activeCalls(): number {
    return this.calls.active;
  }

  /** Why it ended or is ending; undefined while it serves. */
  get closeReason(): EndReason | undefined {
    return this.#closeReason;
  }

  /** Why the peer may not call `path` now, whatever it was when it connected; undefined where it may. */
  refusalOf(path: string): RefusalReason | undefined {
    if (this.#closeReason !== undefined && isRefusalReason(this.#closeReason)) return this.#closeReason;
    return this.calls.refusalOf(path);
  }

  /** Resolves when the connection is closed, at the latest a moment after `graceMs`. */
  drain(reason: EndReason, graceMs: number): Promise<void> {
    if (this.#closeReason === undefined) this.#injector.drain(graceMs + 2 * LAST_STATUS_MS);
    this.#closeReason ??= reason;
    const cutAtMs = performance.now() + graceMs;
    if (cutAtMs < this.#cutAtMs) {
      this.#cutAtMs = cutAtMs;
      clearTimeout(this.#cutTimer);
      this.#cutTimer = setTimeout(() => this.#cut(reason), graceMs);
    }
    return this.closed;
  }

  #cut(reason: EndReason): void {
    this.calls.cut(cutDetail(reason), reason);
    // The statuses are on their way; a peer that does not read them is not waited for.
    this.#cutTimer = setTimeout(() => this.#socket.destroy(), LAST_STATUS_MS);
  }
}

function cutDetail(reason: EndReason): string {
  if (isRefusalReason(reason)) return `this node no longer admits the certificate of this connection (${reason})`;
  return CUT_DETAIL[reason] ?? `the connection was closed (${reason})`;
}
