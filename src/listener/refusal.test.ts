import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { type TestContext, test } from 'node:test';
import * as tls from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { REFUSAL_REASONS } from '../errors/refusal-reason.ts';
import { alertBytes, goawayBytes, http1Bytes } from './refusal.ts';

test('an HTTP/2 client reads GOAWAY with INADEQUATE_SECURITY, no stream, and reason and words', async t => {
  const port = await answering(t, goawayBytes('plaintext_refused', 'this node speaks TLS only'));
  const { code, lastStream, text } = await goawayOf(t, port);
  assert.equal(code, http2.constants.NGHTTP2_INADEQUATE_SECURITY);
  assert.equal(lastStream, 0);
  assert.equal(text, 'plaintext_refused: this node speaks TLS only');
});

test('every reason can be said, also without words', async t => {
  for (const reason of REFUSAL_REASONS) {
    const { text } = await goawayOf(t, await answering(t, goawayBytes(reason, '')));
    assert.equal(text, reason);
  }
});

test('words of any script and length arrive whole', async t => {
  const detail = `Zürich 漢字 ${'x'.repeat(2_000)}`;
  const { text } = await goawayOf(t, await answering(t, goawayBytes('handshake_failed', detail)));
  assert.equal(text, `handshake_failed: ${detail}`);
});

test('a bare grpc-js client reports PERMISSION_DENIED', async t => {
  const port = await answering(t, goawayBytes('plaintext_refused', ''));
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  t.after(() => client.close());
  const error = await new Promise<grpc.ServiceError | null>(resolve => {
    const same = (value: Buffer) => value;
    const options = { deadline: Date.now() + 30_000 };
    client.makeUnaryRequest('/x/Y', same, same, Buffer.from('x'), options, resolve);
  });
  assert.equal(error?.code, grpc.status.PERMISSION_DENIED);
});

test('a TLS client understands the alerts', async t => {
  for (const [alert, code] of [
    ['insufficient_security', 'ERR_SSL_TLSV1_ALERT_INSUFFICIENT_SECURITY'],
    ['internal_error', 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR'],
  ] as const) {
    const port = await answering(t, alertBytes(alert));
    const socket = tls.connect({ port, host: '127.0.0.1' });
    const error = await new Promise<NodeJS.ErrnoException>(resolve => socket.once('error', resolve));
    assert.equal(error.code, code);
  }
});

test('an HTTP/1 client gets a whole answer that says what the port speaks', async t => {
  const port = await answering(t, http1Bytes());
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get({ port, host: '127.0.0.1' }, resolve).once('error', reject);
  });
  response.setEncoding('utf8');
  let body = '';
  for await (const chunk of response) body += chunk;
  assert.equal(response.statusCode, 400);
  assert.match(body, /gRPC over HTTP\/2/);
});

/** A server that says `bytes` to everyone after their first word. */
async function answering(t: TestContext, bytes: Buffer): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => socket.end(bytes));
    socket.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

async function goawayOf(t: TestContext, port: number): Promise<{ code: number; lastStream: number; text: string }> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  t.after(() => session.destroy());
  return new Promise(resolve => {
    session.once('goaway', (code, lastStream, data) => {
      resolve({ code, lastStream, text: Buffer.from(data ?? []).toString('utf8') });
    });
  });
}
