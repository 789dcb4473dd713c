import { once } from 'node:events';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import * as tls from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { echoDefinition } from './echo-service.ts';

/** A listener as anyone would make it; every call is answered with what it takes its client for. */
export interface NaiveListener {
  readonly port: number;
  /** Of each handshake, in order, whether it resumed a session. */
  readonly resumptions: readonly boolean[];
  /** As a rotation would: for handshakes that begin from now on. */
  setContext(context: tls.SecureContextOptions): void;
}

/** What a naive listener believes of a client. */
export interface NaiveBelief {
  readonly authorized: boolean;
  /** In the certificate that it believes to have been shown; null without one. */
  readonly commonName: string | null;
}

/** HTTP/2 over Node's own `tls.Server`, with ordinary options; stopped after the test. */
export async function startNaiveListener(t: TestContext, options: http2.SecureServerOptions): Promise<NaiveListener> {
  const server = http2.createSecureServer({ requestCert: true, ...options });
  const resumptions: boolean[] = [];
  server.on('tlsClientError', () => {});
  server.on('sessionError', () => {});
  server.on('secureConnection', (socket: tls.TLSSocket) => resumptions.push(socket.isSessionReused()));
  server.on('stream', stream => {
    const { socket } = stream.session ?? {};
    if (!(socket instanceof tls.TLSSocket)) throw new TypeError('not TLS');
    stream.on('error', () => {});
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    const belief = Buffer.from(JSON.stringify(beliefOf(socket)));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(belief.length, 1);
    stream.end(Buffer.concat([head, belief]));
  });
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', session => sessions.add(session));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, resumptions, setContext: context => server.setSecureContext(context) };
}

function beliefOf(socket: tls.TLSSocket): NaiveBelief {
  // Typed as never empty, which it is without a certificate.
  const { subject }: Partial<tls.PeerCertificate> = socket.getPeerCertificate();
  return { authorized: socket.authorized, commonName: nameIn(subject?.CN) };
}

function nameIn(commonName: string | string[] | undefined): string | null {
  return commonName === undefined ? null : String(commonName);
}

/** grpc-js with its own `createSsl`, which asks for client certificates; stopped after the test. */
export async function startNaiveGrpcServer(
  t: TestContext,
  options: { readonly cert: string; readonly key: string; readonly ca: string },
): Promise<Pick<NaiveListener, 'port'>> {
  const server = new grpc.Server();
  server.addService(echoDefinition, {
    WhoAmI: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => {
      const { transportSecurityType, sslPeerCertificate } = call.getAuthContext();
      const authorized = transportSecurityType === 'ssl' && sslPeerCertificate !== undefined;
      const belief: NaiveBelief = { authorized, commonName: nameIn(sslPeerCertificate?.subject.CN) };
      reply(null, Buffer.from(JSON.stringify(belief)));
    },
  });
  t.after(() => server.forceShutdown());
  const pair = { cert_chain: Buffer.from(options.cert), private_key: Buffer.from(options.key) };
  const credentials = grpc.ServerCredentials.createSsl(Buffer.from(options.ca), [pair], true);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return { port };
}
