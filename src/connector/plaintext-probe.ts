import * as net from 'node:net';
import { expectNoRefusal } from './read-refusal.ts';

/** The client's HTTP/2 preface and an empty SETTINGS frame (RFC 9113 3.4). */
const GREETING = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

/** Time for the answer to a greeting; a server that says nothing is asked by the real connection. */
const ANSWER_MS = 2_000;

/**
 * Asks a plaintext server whether it would have us, on a connection of its own. On TLS the first bytes can be read
 * before HTTP/2 takes over; in plaintext the client must speak first and grpc-js owns what it says, so a refusal could
 * only be seen by a connection that is ours. Costs one TCP connection a dial.
 * @throws refused, or the socket's own error.
 */
export async function probePlaintext(address: { host: string; port: number }, timeoutMs: number): Promise<void> {
  const socket = net.connect(address);
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no connection within ${timeoutMs} ms`)));
  try {
    socket.write(GREETING);
    await expectNoRefusal(socket, Math.min(timeoutMs, ANSWER_MS));
  } finally {
    socket.on('error', () => {});
    socket.destroy();
  }
}

/**
 * Fails when the server has closed `socket` while nobody read from it. HTTP/2 takes over the socket below the stream
 * that saw the end, and would wait for it forever.
 */
export async function expectStillOpen(socket: net.Socket): Promise<void> {
  const chunk: Buffer | null = socket.read();
  if (chunk !== null) socket.unshift(chunk);
  // An end that was waiting to be read is emitted by now.
  await new Promise(resolve => setImmediate(resolve));
  if (socket.readableEnded || socket.destroyed) throw new Error('the server closed the connection');
}
