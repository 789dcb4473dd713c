import type { Duplex } from 'node:stream';
import * as grpc from '@grpc/grpc-js';
import { type EndReason, isRefusalReason, type RefusalReason } from '../errors/refusal-reason.ts';
import type { Caller, Role } from '../rpc/caller.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type ActiveCall, type CallCounter, callInterceptor } from './call-interceptor.ts';
import type { ConnectionStanding } from './connection-standing.ts';
import type { AuthorizeCall, CallRules } from './listener-policy.ts';

/** Why calls over a connection were cut, told to each caller in its status. */
const CUT_DETAIL: { readonly [Reason in EndReason]?: string } = {
  mode_changed: 'this node no longer accepts this kind of connection (mode_changed)',
  node_draining: 'the node is draining and the call outlived the drain timeout (node_draining)',
};

const NO_METADATA = new grpc.Metadata();

/** How long a cut peer may take to read the last statuses; it closes the connection itself when it has. */
const LAST_STATUS_MS = 1_000;

export interface InboundConnectionParts {
  readonly server: grpc.Server;
  readonly socket: Duplex;
  /** As it was admitted. */
  readonly caller: Caller;
  readonly standing: ConnectionStanding;
  readonly rules: CallRules;
  readonly metrics: Metrics;
  readonly onClosed: (connection: InboundConnection) => void;
  /** Told of what went wrong while it was decided on a call. */
  readonly onCallFailed: (path: string, error: unknown) => void;
}

/**
 * One admitted connection: its own injector into the shared grpc-js `Server`, so that it can be held, counted and
 * drained alone.
 *
 * C1. Every call has the caller that the connection has when the call arrives, and is refused where its standing then is
 *     that it may not be here any more.
 * C2. `drain` lets running calls finish, refuses new ones, and after its grace ends what is left with UNAVAILABLE and
 *     the reason. When it is called again the first reason stays, and the earlier end counts.
 */
export class InboundConnection {
  readonly standing: ConnectionStanding;
  readonly openedAt: Date = new Date();
  readonly #rules: CallRules;
  readonly #socket: Duplex;
  readonly #injector: grpc.ConnectionInjector;
  readonly #calls: CallCounter = { active: new Set() };
  readonly closed: Promise<void>;
  #caller: Caller;
  /** What its running calls were last judged by. */
  #allowedBy: AuthorizeCall;
  #closeReason: EndReason | undefined;
  #cutTimer: NodeJS.Timeout | undefined;
  #cutAtMs = Number.POSITIVE_INFINITY;

  constructor(parts: InboundConnectionParts) {
    this.standing = parts.standing;
    this.#caller = parts.caller;
    this.#socket = parts.socket;
    this.#rules = parts.rules;
    this.#allowedBy = parts.rules.authorize.value;
    const interceptor = callInterceptor({
      admitted: () => this.#caller,
      caller: () => this.#callerNow(),
      authenticate: parts.rules.authenticate,
      authorize: (...asked) => parts.rules.authorize.value(...asked),
      decided: parts.rules.decided,
      failed: parts.onCallFailed,
      calls: this.#calls,
      metrics: parts.metrics,
    });
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
    return this.#caller.connectionId;
  }

  /** Of a call that would arrive now, as far as the standing is known. */
  get caller(): Caller {
    return this.#caller;
  }

  get activeCalls(): number {
    return this.#calls.active.size;
  }

  /** Why it ended or is ending; undefined while it serves. */
  get closeReason(): EndReason | undefined {
    return this.#closeReason;
  }

  /** Why the peer may not call `path` now, whatever it was when it connected; undefined where it may. */
  refusalOf(path: string): RefusalReason | undefined {
    if (this.#closeReason !== undefined && isRefusalReason(this.#closeReason)) return this.#closeReason;
    const { now } = this.standing;
    if (!now.admitted) return now.reason;
    const { allowed } = this.#rules.authorize.value({ ...this.#caller, roles: now.roles }, path, NO_METADATA);
    return allowed ? undefined : 'subject_not_allowed';
  }

  /**
   * The peer holds these roles from now on. Running calls that it may no longer make, by its roles or by new rules, are
   * cut after `graceMs`. True when it may be that it may do other things than before.
   */
  hold(roles: ReadonlySet<Role>, graceMs: number): boolean {
    const authorize = this.#rules.authorize.value;
    const areOthers = !areSame(roles, this.#caller.roles);
    if (!areOthers && authorize === this.#allowedBy) return false;
    this.#allowedBy = authorize;
    if (areOthers) this.#caller = { ...this.#caller, roles };
    const forbidden = this.#forbidden();
    if (forbidden.length === 0) return true;
    setTimeout(() => {
      const details = 'the caller may no longer make this call (subject_not_allowed)';
      const stillForbidden = new Set(this.#forbidden());
      for (const call of forbidden) if (stillForbidden.has(call)) call.cut(details, 'subject_not_allowed');
    }, graceMs).unref();
    return true;
  }

  #forbidden(): readonly ActiveCall[] {
    const authorize = this.#rules.authorize.value;
    return [...this.#calls.active].filter(call => !call.isAllowed(authorize, this.#caller));
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

  #callerNow(): ReturnType<Parameters<typeof callInterceptor>[0]['caller']> {
    const standing = this.standing.now;
    if (!standing.admitted) return standing;
    const { roles } = standing;
    // The same object as long as it is the same caller: decisions are remembered by it.
    return areSame(roles, this.#caller.roles) ? this.#caller : { ...this.#caller, roles };
  }

  #cut(reason: EndReason): void {
    for (const call of [...this.#calls.active]) call.cut(cutDetail(reason), reason);
    // The statuses are on their way; a peer that does not read them is not waited for.
    this.#cutTimer = setTimeout(() => this.#socket.destroy(), LAST_STATUS_MS);
  }
}

function cutDetail(reason: EndReason): string {
  if (isRefusalReason(reason)) return `this node no longer admits the certificate of this connection (${reason})`;
  return CUT_DETAIL[reason] ?? `the connection was closed (${reason})`;
}

function areSame(some: ReadonlySet<Role>, others: ReadonlySet<Role>): boolean {
  if (some === others) return true;
  return some.size === others.size && [...some].every(role => others.has(role));
}
