import { duplexPair } from 'node:stream';
import * as tls from 'node:tls';
import { messageOf } from '../errors/selvedge-error.ts';
import { judgePeerCertificate } from './judge-peer.ts';
import { readPeerChain } from './peer-chain.ts';
import type { MinTlsVersion, TrustSnapshot } from './trust-snapshot.ts';

export interface SelfHandshake {
  /** What the listener would show, and whom it would trust. */
  readonly server: TrustSnapshot;
  /** The same of the connector. */
  readonly client: TrustSnapshot;
  readonly minVersion: MinTlsVersion;
  /** From then on it counts as failed. */
  readonly timeoutMs: number;
}

/**
 * A TLS handshake of this node with itself, in memory, with the contexts of listener and connector; each side then judges
 * the other's certificate as it judges a peer's. Answers what is wrong; empty: nothing.
 */
export async function handshakeWithSelf(handshake: SelfHandshake): Promise<readonly string[]> {
  const secured = await secure(handshake).catch(failure);
  if (typeof secured === 'string') return [secured];
  const { server, client } = handshake;
  const now = new Date();
  const verdicts = [
    ['server', judgePeerCertificate(readPeerChain(secured.client), client, 'server', now)],
    ['client', judgePeerCertificate(readPeerChain(secured.server), server, 'client', now)],
  ] as const;
  secured.client.destroy();
  secured.server.destroy();
  return verdicts.flatMap(([usage, verdict]) =>
    verdict.ok ? [] : [`this node would refuse itself as a ${usage}: ${verdict.reason}: ${verdict.detail}`],
  );
}

interface SecuredPair {
  readonly server: tls.TLSSocket;
  readonly client: tls.TLSSocket;
}

async function secure({ server, client, minVersion, timeoutMs }: SelfHandshake): Promise<SecuredPair | string> {
  const [near, far] = duplexPair();
  // One that never listens, as the fabric listener has it.
  const acceptor = tls.createServer({
    ...server.contextOptions(minVersion),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  });
  const dialler = tls.connect({
    socket: far,
    secureContext: client.secureContext(minVersion),
    ALPNProtocols: ['h2'],
    checkServerIdentity: () => undefined,
    rejectUnauthorized: false,
  });
  let timer: NodeJS.Timeout | undefined;
  const failed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it took more than ${timeoutMs} ms`)), timeoutMs);
    // Stays attached: an error after the handshake must not end the process.
    acceptor.on('tlsClientError', reject);
    dialler.on('error', reject);
  });
  const accepted = new Promise<tls.TLSSocket>(resolve => {
    acceptor.once('secureConnection', socket => resolve(socket.on('error', () => {})));
  });
  const dialled = new Promise<void>(resolve => void dialler.once('secureConnect', resolve));
  acceptor.emit('connection', near);
  try {
    const [socket] = await Promise.race([Promise.all([accepted, dialled]), failed]);
    return { server: socket, client: dialler };
  } catch (error) {
    dialler.destroy();
    near.destroy();
    return failure(error);
  } finally {
    clearTimeout(timer);
  }
}

function failure(error: unknown): string {
  return `a handshake of this node with itself fails: ${messageOf(error)}`;
}
