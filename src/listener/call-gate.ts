import type { ServerHttp2Session } from 'node:http2';
import * as grpc from '@grpc/grpc-js';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import { inSlices } from '../lifecycle/in-slices.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import { bindCaller } from '../rpc/caller.ts';
import { reasonMetadata } from '../rpc/status.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type CallStanding, JudgedConnection } from './judged-connection.ts';
import type { Admit } from './listener-policy.ts';
import { RefusalDelay } from './refusal-delay.ts';
import { type Refuser, subjectFields } from './refuser.ts';
import { type SecuredSession, sessionOfCall } from './session-of-call.ts';

export interface CallGateParts {
  readonly trust: ObservableValue<TrustSnapshot>;
  readonly admit: Admit;
  /** Calls that still run this long after their connection was refused are cut. */
  readonly drainTimeoutMs: number;
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
 * G2. After a rotation every connection that made a call is judged again, whether or not it makes another.
 */
export class CallGate {
  readonly #parts: CallGateParts;
  readonly #delay = new RefusalDelay();
  readonly #connections = new Map<ServerHttp2Session, JudgedConnection>();
  readonly #unsubscribe: () => void;

  constructor(parts: CallGateParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.trust.subscribe(() => void this.#judgeAll());
  }

  readonly interceptor: grpc.ServerInterceptor = (_method, call) => {
    let timer: NodeJS.Timeout | undefined;
    const refuse = (standing: Refused) => {
      timer = setTimeout(() => call.sendStatus(statusOf(standing)), standing.tellAtMs - Date.now());
    };
    return new grpc.ServerInterceptingCall(call, {
      start: next =>
        next({
          onReceiveMetadata: (metadata, forward) => {
            const secured = sessionOfCall(call);
            if (secured === undefined) return call.sendStatus(UNKNOWN_CONNECTION);
            const { standing } = this.#connectionOf(secured);
            if (!standing.admitted) return refuse(standing);
            bindCaller(metadata, standing.caller);
            forward(metadata);
          },
          onCancel: () => clearTimeout(timer),
        }),
    });
  };

  /** Rotations no longer make it look at connections by itself; calls are judged as before. */
  close(): void {
    this.#unsubscribe();
  }

  #connectionOf(secured: SecuredSession): JudgedConnection {
    const known = this.#connections.get(secured.session);
    if (known !== undefined) return known;
    const { trust, admit, refuser, drainTimeoutMs } = this.#parts;
    const refusalDelayMs = (remoteAddress: string) => this.#delay.next(remoteAddress, Date.now());
    const connection = new JudgedConnection(secured, { trust, admit, refuser, refusalDelayMs, drainTimeoutMs });
    this.#connections.set(secured.session, connection);
    secured.session.once('close', () => this.#connections.delete(secured.session));
    const { standing } = connection;
    if (standing.admitted) this.#count(secured.session, connection, standing.caller);
    return connection;
  }

  #count(session: ServerHttp2Session, connection: JudgedConnection, caller: AdmittedCaller): void {
    const { metrics, logger } = this.#parts;
    const labels = { direction: 'inbound', security: caller.security.kind };
    const facts = { connection: caller.connectionId, remote: caller.remoteAddress };
    metrics.connections.inc(labels);
    logger.debug('connection.opened', {
      ...facts,
      security: caller.security.kind,
      ...subjectFields(caller.identity),
      roles: [...caller.roles],
    });
    session.once('close', () => {
      const reason = connection.closeReason ?? 'peer_closed';
      metrics.connections.dec(labels);
      metrics.connectionsClosed.inc({ reason });
      logger.debug('connection.closed', { ...facts, reason });
    });
  }

  #judgeAll(): Promise<void> {
    return inSlices(this.#connections.values(), connection => void connection.standing);
  }
}

type Refused = Extract<CallStanding, { admitted: false }>;
type AdmittedCaller = Extract<CallStanding, { admitted: true }>['caller'];

type Status = Parameters<grpc.ServerInterceptingCall['sendStatus']>[0];

const UNKNOWN_CONNECTION: Status = {
  code: grpc.status.UNAUTHENTICATED,
  details: 'the connection of this call is not known to be mutual TLS',
  metadata: null,
};

/** Says the reason code, never what would be allowed. */
function statusOf({ reason, unauthenticated }: Refused): Status {
  const metadata = reasonMetadata(reason);
  const code = unauthenticated ? grpc.status.UNAUTHENTICATED : grpc.status.PERMISSION_DENIED;
  return { code, details: `connection refused: ${reason}`, metadata };
}
