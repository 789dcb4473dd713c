import type { Socket } from 'node:net';
import * as tls from 'node:tls';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import { messageOf } from '../errors/selvedge-error.ts';

/** How a handshake ended. */
export type HandshakeResult =
  | { readonly ok: true; readonly socket: tls.TLSSocket }
  | { readonly ok: false; readonly reason: RefusalReason; readonly detail: string };

/**
 * Runs TLS handshakes on sockets that were accepted elsewhere: a `tls.Server` that never listens.
 *
 * A1. Each `handshake` settles exactly once: secured, failed, or at its deadline.
 * A2. The client's certificate is asked for but not judged here (`rejectUnauthorized: false`), so that the judge can
 *     say why it refuses; nobody may take a socket from here as authenticated.
 * A3. Sessions are never resumed: the context options forbid tickets, and no session store exists.
 */
export class TlsAcceptor {
  readonly #server: tls.Server;
  readonly #waiting = new Map<string, (result: HandshakeResult) => void>();

  /** @param context key, certificate, anchors and version floor; see `TrustSnapshot.contextOptions`. */
  constructor(context: tls.SecureContextOptions) {
    this.#server = tls.createServer({
      ...context,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    });
    this.#server.on('secureConnection', socket => this.#settle(socket, { ok: true, socket }));
    this.#server.on('tlsClientError', (error, socket) => this.#settle(socket, { ok: false, ...failureOf(error) }));
  }

  /** Handshakes that begin from now on use `context`. */
  setContext(context: tls.SecureContextOptions): void {
    this.#server.setSecureContext(context);
  }

  handshake(socket: Socket, timeoutMs: number): Promise<HandshakeResult> {
    const key = tupleOf(socket);
    return new Promise(resolve => {
      const settle = (result: HandshakeResult) => {
        clearTimeout(timer);
        socket.off('close', onClose);
        this.#waiting.delete(key);
        resolve(result);
      };
      const onClose = () => settle({ ok: false, reason: 'handshake_failed', detail: HUNG_UP });
      const timer = setTimeout(() => {
        settle({ ok: false, reason: 'handshake_timeout', detail: `no handshake within ${timeoutMs} ms` });
      }, timeoutMs);
      socket.once('close', onClose);
      this.#waiting.set(key, settle);
      this.#server.emit('connection', socket);
    });
  }

  #settle(socket: tls.TLSSocket, result: HandshakeResult): void {
    const settle = this.#waiting.get(tupleOf(socket));
    // Past its deadline the handshake was given up already; the raw socket is being destroyed.
    if (settle === undefined) socket.destroy();
    else settle(result);
  }
}

/** The four numbers that name a TCP connection: the raw socket and the TLS socket over it agree on them. */
function tupleOf(socket: Socket): string {
  return `${socket.remoteAddress}|${socket.remotePort}|${socket.localAddress}|${socket.localPort}`;
}

/** A client that does not accept the certificate of a server hangs up, mostly without an alert that would say so. */
export const HUNG_UP = 'the peer closed the connection during the handshake; it may have refused our certificate';

const VERSION_ERRORS = new Set([
  'ERR_SSL_UNSUPPORTED_PROTOCOL',
  'ERR_SSL_VERSION_TOO_LOW',
  'ERR_SSL_WRONG_VERSION_NUMBER',
]);

function failureOf(error: Error): { reason: RefusalReason; detail: string } {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (VERSION_ERRORS.has(code)) return { reason: 'tls_version', detail: 'the peer offers no TLS version we accept' };
  if (code === 'ECONNRESET') return { reason: 'handshake_failed', detail: HUNG_UP };
  return { reason: 'handshake_failed', detail: code === '' ? messageOf(error) : code };
}
