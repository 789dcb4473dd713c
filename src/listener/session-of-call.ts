import type { ServerHttp2Session } from 'node:http2';
import { TLSSocket } from 'node:tls';
import type * as grpc from '@grpc/grpc-js';

/** An HTTP/2 session whose socket is known to be a TLS one. */
export interface SecuredSession {
  readonly session: ServerHttp2Session;
  readonly socket: TLSSocket;
}

/**
 * The TLS connection that a call came over; undefined where there is none. Only for interceptors of credentials, which
 * grpc-js gives its own call object: this is the one place that reaches into it (`stream`), and a test holds it against
 * the version that is installed. The public `getAuthContext()` names no connection to remember a verdict by, parses the
 * certificate again for each call, and knows no intermediates.
 */
export function sessionOfCall(call: Parameters<grpc.ServerInterceptor>[1]): SecuredSession | undefined {
  const stream: unknown = 'stream' in call ? call.stream : undefined;
  if (typeof stream !== 'object' || stream === null || !('session' in stream)) return undefined;
  const { session } = stream;
  if (!isServerSession(session) || session.destroyed) return undefined;
  const { socket } = session;
  return socket instanceof TLSSocket ? { session, socket } : undefined;
}

function isServerSession(value: unknown): value is ServerHttp2Session {
  return typeof value === 'object' && value !== null && 'socket' in value && 'goaway' in value && 'destroyed' in value;
}
