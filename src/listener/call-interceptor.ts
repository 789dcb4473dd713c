import * as grpc from '@grpc/grpc-js';
import type { EndReason } from '../errors/refusal-reason.ts';
import { bindCaller, type Caller, withBearer } from '../rpc/caller.ts';
import type { Decision } from '../rpc/decision.ts';
import { reasonMetadata } from '../rpc/status.ts';
import type { MethodCalls } from '../telemetry/call-metrics.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Standing } from './connection-standing.ts';
import type { AuthenticateCall, AuthorizeCall, CallDecided, Denial } from './listener-policy.ts';
import { type CallListener, type CallStatus, PassingCall } from './passing-call.ts';

/** A running call of one connection. */
export interface ActiveCall {
  /** `/package.Service/Method`. */
  readonly path: string;
  /** Whether it may go on, under the rules and roles of now. */
  isAllowed(authorize: AuthorizeCall, ofConnection: Caller): boolean;
  /** Ends it with UNAVAILABLE; `reason` is a refusal or close reason code. */
  cut(details: string, reason: EndReason): void;
}

/** The running calls of one connection. */
export interface CallCounter {
  readonly active: Set<ActiveCall>;
}

export interface CallInterceptorParts {
  /** Who called when the connection was last let in. */
  readonly admitted: () => Caller;
  /** Asked when a call arrives: who calls, or why nobody may any more. */
  readonly caller: () => Caller | Extract<Standing, { admitted: false }>;
  readonly authenticate?: AuthenticateCall | undefined;
  readonly authorize: AuthorizeCall;
  readonly decided?: CallDecided | undefined;
  /** Told of what went wrong while it was decided on a call. */
  readonly failed: (path: string, error: unknown) => void;
  readonly calls: CallCounter;
  readonly metrics: Metrics;
}

/**
 * Calls that somebody without a certificate may have open on a TLS connection: enough for health checks, too few to
 * fill the memory with requests that never end.
 */
const MAX_STRANGER_CALLS = 10;

/**
 * The interceptor of one connection: every call learns its caller, is authorized, counted, and can be cut. The denial
 * says only that it was denied.
 */
export function callInterceptor(parts: CallInterceptorParts): grpc.ServerInterceptor {
  return ({ path }, call) => new GuardedCall(path, call, parts);
}

/**
 * One call of a connection.
 *
 * G1. The handler hears nothing of a call before it is allowed: grpc-js reads no message until the handler asks.
 * G2. It is among the active calls from its arrival to its one end: a status, or that the caller went away.
 */
class GuardedCall extends PassingCall implements ActiveCall {
  readonly path: string;
  readonly #parts: CallInterceptorParts;
  readonly #counted: MethodCalls;
  readonly #startedAt = performance.now();
  /** That of the connection, until the one of the call is known. */
  #caller: Caller | undefined;
  /** Undefined until the call is allowed. */
  #metadata: grpc.Metadata | undefined;

  constructor(path: string, call: grpc.ServerInterceptingCallInterface, parts: CallInterceptorParts) {
    super(call);
    this.path = path;
    this.#parts = parts;
    this.#counted = parts.metrics.serverCalls.of(path);
    this.#counted.started += 1;
  }

  override start(handler: CallListener): void {
    this.#parts.calls.active.add(this);
    super.start(handler);
  }

  override onReceiveMetadata(metadata: grpc.Metadata): void {
    const found = this.#find(metadata);
    if (found instanceof Promise)
      found.then(
        who => this.#goOn(this.#asOfNow(who), metadata),
        error => this.#failed(error),
      );
    else this.#goOn(found, metadata);
  }

  override onCancel(): void {
    this.#finish(grpc.status.CANCELLED);
    super.onCancel();
  }

  override sendStatus(status: CallStatus): void {
    this.#finish(status.code ?? grpc.status.UNKNOWN);
    super.sendStatus(status);
  }

  isAllowed(authorize: AuthorizeCall, ofConnection: Caller): boolean {
    if (this.#caller === undefined || this.#metadata === undefined) return true;
    const { bearer } = this.#caller;
    const caller = bearer === undefined ? ofConnection : withBearer(ofConnection, bearer);
    return authorize(caller, this.path, this.#metadata).allowed;
  }

  cut(details: string, reason: EndReason): void {
    this.#end(grpc.status.UNAVAILABLE, details, reason);
  }

  /** Who calls; undefined where nobody may, and the call has ended. */
  #find(metadata: grpc.Metadata): ReturnType<AuthenticateCall> | undefined {
    try {
      const { caller, authenticate, calls, metrics } = this.#parts;
      const ofConnection = caller();
      if ('admitted' in ofConnection) return void this.#refuse(ofConnection);
      if (isPlaintext(ofConnection)) metrics.plaintextCalls.inc();
      if (isStranger(ofConnection) && calls.active.size > MAX_STRANGER_CALLS)
        return void this.#end(grpc.status.RESOURCE_EXHAUSTED, 'too many calls at a time');
      this.#caller = ofConnection;
      return authenticate?.(ofConnection, this.path, metadata) ?? ofConnection;
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  /** What the handler throws is its own: grpc-js has it as if nobody stood between. */
  #goOn(who: Caller | Denial | undefined, metadata: grpc.Metadata): void {
    if (who !== undefined && this.#permits(who, metadata)) super.onReceiveMetadata(metadata);
  }

  /**
   * Who was found after a wait, in which the connection may have got other roles, or lost its place here; undefined where
   * the call has ended.
   */
  #asOfNow(who: Caller | Denial): Caller | Denial | undefined {
    if (!this.#parts.calls.active.has(this)) return undefined;
    if ('allowed' in who || who.bearer === undefined) return who;
    try {
      const ofConnection = this.#parts.caller();
      if ('admitted' in ofConnection) return void this.#refuse(ofConnection);
      return withBearer(ofConnection, who.bearer);
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  /** Whether the call goes on to its handler; it has ended where it does not. */
  #permits(who: Caller | Denial, metadata: grpc.Metadata): boolean {
    try {
      if ('allowed' in who) {
        if (this.#caller !== undefined) this.#decide(this.#caller, who, undefined);
        this.#end(grpc.status.UNAUTHENTICATED, 'unauthenticated');
        return false;
      }
      const decision = this.#parts.authorize(who, this.path, metadata);
      this.#decide(who, decision, metadata);
      if (!decision.allowed) {
        this.#end(grpc.status.PERMISSION_DENIED, 'permission denied');
        return false;
      }
      this.#caller = who;
      this.#metadata = metadata;
      bindCaller(metadata, who);
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  #decide(caller: Caller, decision: Decision, metadata: grpc.Metadata | undefined): void {
    if (decision.allowed) this.#counted.allowed += 1;
    else this.#counted.denied += 1;
    this.#parts.decided?.(caller, this.path, decision, metadata);
  }

  #refuse({ reason, unauthenticated }: Extract<Standing, { admitted: false }>): void {
    this.#decide(this.#parts.admitted(), { allowed: false, policy: 'built-in', rule: '' }, undefined);
    const code = unauthenticated ? grpc.status.UNAUTHENTICATED : grpc.status.PERMISSION_DENIED;
    this.#end(code, `connection refused: ${reason}`, reason);
  }

  /** Who cannot decide lets nobody through, and takes no other call down with it. */
  #failed(error: unknown): void {
    this.#parts.failed(this.path, error);
    this.#end(grpc.status.INTERNAL, 'internal error');
  }

  #end(code: grpc.status, details: string, reason?: EndReason): void {
    this.sendStatus(reason === undefined ? { code, details } : { code, details, metadata: reasonMetadata(reason) });
  }

  #finish(code: grpc.status): void {
    if (this.#parts.calls.active.delete(this))
      this.#counted.ended(grpc.status[code], performance.now() - this.#startedAt);
  }
}

/** The admin socket is plaintext by its nature. */
function isPlaintext({ security, roles }: Caller): boolean {
  return security.kind === 'none' && !roles.has('local');
}

function isStranger({ identity, security }: Caller): boolean {
  return identity === undefined && security.kind === 'tls';
}
