import { once } from 'node:events';
import * as http2 from 'node:http2';
import * as tls from 'node:tls';
import { echoDefinition } from './echo-service.ts';

/** How one connection of somebody who keeps TLS sessions went. */
export interface Visit {
  /** Whether the handshake resumed the session that was offered. */
  readonly resumed: boolean;
  /** What to offer next time; undefined where no handshake came about. */
  readonly session: Buffer | undefined;
  /** What the handler said; undefined where no handler was reached. */
  readonly answer: string | undefined;
}

const DEADLINE_MS = 30_000;

/**
 * Connects with a TLS client of Node that knows nothing of us, asks `WhoAmI` over HTTP/2, and leaves. Never rejects: who
 * is turned away has no answer. The server is not verified, so that only what the server decides counts.
 */
export async function visit(port: number, options: tls.ConnectionOptions): Promise<Visit> {
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
    ...options,
  });
  let session: Buffer | undefined;
  socket.on('session', given => {
    session = given;
  });
  socket.on('error', () => {});
  const isSecured = await once(socket, 'secureConnect').then(
    () => true,
    () => false,
  );
  if (!isSecured) return { resumed: false, session, answer: undefined };
  const resumed = socket.isSessionReused();
  const client = http2.connect('https://localhost', { createConnection: () => socket });
  client.on('error', () => {});
  const answer = await ask(client);
  session ??= socket.getSession();
  client.destroy();
  socket.destroy();
  return { resumed, session, answer };
}

function ask(client: http2.ClientHttp2Session): Promise<string | undefined> {
  return new Promise(resolve => {
    const call = client.request({
      ':method': 'POST',
      ':path': echoDefinition.WhoAmI.path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    call.setTimeout(DEADLINE_MS, () => call.close());
    call.on('error', () => {});
    call.on('data', (chunk: Buffer) => chunks.push(chunk));
    call.on('close', () => {
      const message = Buffer.concat(chunks).subarray(5);
      resolve(message.length === 0 ? undefined : message.toString());
    });
    // One empty message: not compressed, no byte long (gRPC over HTTP/2).
    call.end(Buffer.alloc(5));
  });
}
