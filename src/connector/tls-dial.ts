import * as net from 'node:net';
import * as tls from 'node:tls';
import { readPeerChain } from '../credentials/judge-peer.ts';
import type { MinTlsVersion } from '../credentials/trust-snapshot.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { reasonOfTlsError } from './alert-reason.ts';
import { judgeServer, type ServerStandard } from './judge-server.ts';
import { expectNoRefusal, refusedByPeer } from './read-refusal.ts';
import { refusedByUs } from './refused-server.ts';

/** `trust` is also what is shown. */
export interface TlsDialOptions extends ServerStandard {
  readonly minVersion: MinTlsVersion;
  /** Deadline of the handshake and of the server's first answer. */
  readonly timeoutMs: number;
}

export interface SecuredDial {
  readonly socket: tls.TLSSocket;
  readonly identity: PeerIdentity;
}

/**
 * How long a verified server may stay silent before we speak. Our own listener answers at once, or, when it refuses us
 * again and again, within its delay of half a second.
 */
const FIRST_ANSWER_MS = 2_000;

/**
 * Mutual TLS over a connected socket. Resolves when the chain is verified, the server is the one that was expected,
 * and it did not refuse us; the socket is destroyed otherwise.
 * @throws refused (`by` tells which side), or the socket's own error.
 */
export async function dialTls(socket: net.Socket, options: TlsDialOptions): Promise<SecuredDial> {
  const secured = await handshake(socket, options);
  try {
    const verdict = judgeServer(readPeerChain(secured), options, new Date());
    if (!verdict.ok) throw refusedByUs(verdict.reason, verdict.detail, verdict.identity);
    await expectNoRefusal(secured, FIRST_ANSWER_MS).catch(rethrowAlert);
    return { socket: secured, identity: verdict.identity };
  } catch (error) {
    secured.destroy();
    throw error;
  }
}

function handshake(socket: net.Socket, options: TlsDialOptions): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const secured = tls.connect({
      socket,
      secureContext: options.trust.secureContext(options.minVersion),
      ALPNProtocols: ['h2'],
      // The server name extension holds names only (RFC 6066 3); for an IP address Node would warn.
      ...(net.isIP(options.host) === 0 ? { servername: options.host } : {}),
      // Chain and name are judged by us right after, with a reason; see dialTls.
      checkServerIdentity: () => undefined,
      rejectUnauthorized: false,
    });
    const fail = (error: Error) => {
      clearTimeout(timer);
      secured.destroy();
      reject(error);
    };
    const timer = setTimeout(
      () => fail(new Error(`no TLS handshake within ${options.timeoutMs} ms`)),
      options.timeoutMs,
    );
    // Stays attached: an error after the hand-over must not bring the process down.
    secured.on('error', error => {
      const refusal = reasonOfTlsError(error);
      fail(refusal === undefined ? error : refusedByPeer(refusal.reason, refusal.detail));
    });
    secured.once('close', () => fail(new Error('the server closed the connection during the TLS handshake')));
    secured.once('secureConnect', () => {
      clearTimeout(timer);
      resolve(secured);
    });
  });
}

function rethrowAlert(error: Error): never {
  const refusal = reasonOfTlsError(error);
  throw refusal === undefined ? error : refusedByPeer(refusal.reason, refusal.detail);
}
