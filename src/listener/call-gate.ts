import type { ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import { inSlices } from '../lifecycle/in-slices.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import { bindCaller, type Caller } from '../rpc/caller.ts';
import { reasonMetadata } from '../rpc/status.ts';
import { certificateFields } from '../telemetry/certificate-fields.ts';
import { type Logger, printable } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type CallStanding, type CuttableCall, JudgedConnection } from './judged-connection.ts';
import type { Admit } from './listener-policy.ts';
import { type CallStatus, PassingCall } from './passing-call.ts';
import { RefusalDelay } from './refusal-delay.ts';
import type { Refusal, Refuser } from './refuser.ts';
import { type SecuredSession, sessionOfCall } from './session-of-call.ts';

export interface CallGateParts {
  readonly trust: ObservableValue<TrustSnapshot>;
  readonly admit: Admit;
  /** How long calls may go on over a connection that must go, in milliseconds. */
  readonly withdrawalGraceMs: number;
  readonly refuser: Refuser;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * Lets the calls of admitted connections through to their handlers and answers all others, on a server whose sockets
 * are not ours to hold.
 *
 * G1. A handler sees a call only after its connection was found good under the trust snapshot of that moment; where
 *     nothing can be found out, the call is refused.
 * G2. After a rotation every connection is judged again, whether or not it makes a call.
 */
export class CallGate {
  readonly #parts: CallGateParts;
  readonly #delay = new RefusalDelay();
  /** What the socket of a connection bears: its session shows another object in its place, but with this property. */
  readonly #key = Symbol('judged connection');
  readonly #connections = new Set<JudgedConnection>();
  readonly #ofSession = new WeakMap<ServerHttp2Session, JudgedConnection>();
  readonly #unsubscribe: () => void;

  constructor(parts: CallGateParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.trust.subscribe(() => void this.#judgeAll());
  }

  readonly interceptor: grpc.ServerInterceptor = (_method, call) =>
    new GatedCall(call, () => {
      const secured = sessionOfCall(call);
      return secured === undefined ? undefined : this.#connectionOf(secured);
    });

  /** Judges a connection from now on: TLS has just verified its chain, and no call came over it yet. */
  follow(socket: TLSSocket): void {
    Object.defineProperty(socket, this.#key, { value: this.#open(socket) });
  }

  /** Rotations no longer make it look at connections by itself; calls are judged as before. */
  close(): void {
    this.#unsubscribe();
  }

  #connectionOf({ session, socket }: SecuredSession): JudgedConnection {
    const known = this.#ofSession.get(session);
    if (known !== undefined) return known;
    const followed: unknown = Reflect.get(socket, this.#key);
    const connection = followed instanceof JudgedConnection ? followed : this.#open(socket);
    this.#ofSession.set(session, connection);
    connection.serve(session);
    return connection;
  }

  #open(socket: TLSSocket): JudgedConnection {
    const { trust, admit, refuser, withdrawalGraceMs } = this.#parts;
    const connection = new JudgedConnection(socket, {
      trust,
      admit,
      refuser,
      withdrawalGraceMs,
      refusalDelayMs: remoteAddress => this.#delay.next(remoteAddress, Date.now()),
      withdrawn: (caller, refusal, facts) => this.#logWithdrawn(caller, refusal, facts),
    });
    this.#connections.add(connection);
    socket.once('close', () => this.#connections.delete(connection));
    const { standing } = connection;
    if (standing.admitted) this.#count(socket, connection, standing.caller);
    return connection;
  }

  #logWithdrawn(
    { connectionId, remoteAddress, identity: admitted }: Caller,
    { reason, detail, identity }: Refusal,
    facts: { activeCalls: number; graceMs: number },
  ): void {
    this.#parts.logger.warn('connection.withdrawn', {
      direction: 'inbound',
      connection: connectionId,
      remote: remoteAddress,
      reason,
      detail: printable(detail),
      ...certificateFields(identity ?? admitted),
      ...facts,
    });
  }

  #count(socket: TLSSocket, connection: JudgedConnection, caller: Caller): void {
    const { metrics, logger } = this.#parts;
    const labels = { direction: 'inbound', security: caller.security.kind };
    const facts = { connection: caller.connectionId, remote: caller.remoteAddress };
    metrics.connections.inc(labels);
    logger.debug('connection.opened', {
      ...facts,
      security: caller.security.kind,
      ...certificateFields(caller.identity),
      roles: [...caller.roles],
    });
    socket.once('close', () => {
      const reason = connection.closeReason ?? 'peer_closed';
      metrics.connections.dec(labels);
      metrics.connectionsClosed.inc({ reason });
      logger.debug('connection.closed', { ...facts, reason });
    });
  }

  #judgeAll(): Promise<void> {
    return inSlices(this.#connections, connection => void connection.standing);
  }
}

type Refused = Extract<CallStanding, { admitted: false }>;

/** One call of a connection that is judged. */
class GatedCall extends PassingCall implements CuttableCall {
  readonly #findConnection: () => JudgedConnection | undefined;
  #timer: NodeJS.Timeout | undefined;
  #connection: JudgedConnection | undefined;

  constructor(call: grpc.ServerInterceptingCallInterface, findConnection: () => JudgedConnection | undefined) {
    super(call);
    this.#findConnection = findConnection;
  }

  override onReceiveMetadata(metadata: grpc.Metadata): void {
    const connection = this.#findConnection();
    if (connection === undefined) return this.sendStatus(UNKNOWN_CONNECTION);
    const { standing } = connection;
    if (!standing.admitted) return this.#refuse(standing);
    this.#connection = connection;
    connection.begin(this);
    bindCaller(metadata, standing.caller);
    super.onReceiveMetadata(metadata);
  }

  override onCancel(): void {
    clearTimeout(this.#timer);
    this.#connection?.end(this);
    super.onCancel();
  }

  cut(reason: RefusalReason): void {
    this.sendStatus(cutStatus(reason));
  }

  #refuse(standing: Refused): void {
    this.#timer = setTimeout(() => this.sendStatus(statusOf(standing)), standing.tellAtMs - Date.now());
  }
}

const UNKNOWN_CONNECTION: CallStatus = {
  code: grpc.status.UNAUTHENTICATED,
  details: 'the connection of this call is not known to be mutual TLS',
  metadata: null,
};

/** Says the reason code, never what would be allowed. */
function statusOf({ reason, unauthenticated }: Refused): CallStatus {
  const metadata = reasonMetadata(reason);
  const code = unauthenticated ? grpc.status.UNAUTHENTICATED : grpc.status.PERMISSION_DENIED;
  return { code, details: `connection refused: ${reason}`, metadata };
}

function cutStatus(reason: RefusalReason): CallStatus {
  const details = `this server no longer admits the certificate of this connection (${reason})`;
  return { code: grpc.status.UNAVAILABLE, details, metadata: reasonMetadata(reason) };
}
