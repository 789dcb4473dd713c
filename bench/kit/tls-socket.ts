import { once } from 'node:events';
import type * as net from 'node:net';
import * as tls from 'node:tls';
import type { CredentialPems } from './credentials.ts';

/**
 * Starts an echo of raw bytes over mutual TLS 1.3 on a free port of loopback: what arrives together goes back together.
 * It ends with the process. Resolves with the port.
 */
export async function startSocketEcho({ certPem, keyPem, anchorsPem }: CredentialPems): Promise<number> {
  const options = { cert: certPem, key: keyPem, ca: anchorsPem, requestCert: true, minVersion: 'TLSv1.3' } as const;
  const server = tls.createServer({ ...options, noDelay: true }, socket => {
    socket.on('error', () => {});
    socket.on('data', chunk => socket.write(chunk));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

/** One connection to {@link startSocketEcho}. */
export class SocketClient {
  readonly #socket: tls.TLSSocket;
  #missing = 0;
  #complete: () => void = () => {};

  private constructor(socket: tls.TLSSocket) {
    this.#socket = socket;
    socket.on('data', chunk => {
      this.#missing -= chunk.length;
      if (this.#missing === 0) this.#complete();
    });
  }

  static async connect(port: number, { certPem, keyPem, anchorsPem }: CredentialPems): Promise<SocketClient> {
    const options = { cert: certPem, key: keyPem, ca: anchorsPem, minVersion: 'TLSv1.3' } as const;
    const socket = tls.connect({ ...options, host: '127.0.0.1', port, servername: 'localhost' });
    await once(socket, 'secureConnect');
    socket.setNoDelay(true);
    return new SocketClient(socket);
  }

  /** Says it in one write. Resolves when as many bytes came back; one at a time. */
  echo(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#missing = bytes.length;
      this.#complete = () => {
        this.#socket.off('close', lost);
        resolve();
      };
      const lost = () => reject(new Error('the connection was closed'));
      this.#socket.once('close', lost);
      this.#socket.write(bytes);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}
