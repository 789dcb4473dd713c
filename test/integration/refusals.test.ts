import assert from 'node:assert/strict';
import * as net from 'node:net';
import { test } from 'node:test';
import * as tls from 'node:tls';
import { refusalIn } from '../../src/connector/read-refusal.ts';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';
import type { CertificateRequest } from '../../src/dev-pki/issue.ts';
import type { RefusalReason } from '../../src/errors/refusal-reason.ts';
import { withScheme } from '../../src/identity/address.ts';
import { echo } from '../kit/echo-service.ts';
import { makeSnapshot, startConnector, startListener, type TestListener } from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';

const DAY_MS = 86_400_000;

test('each flaw of a client certificate is refused with its own reason, to the peer, in the log and in the metrics', async t => {
  const authority = await createAuthority();
  const server = await startListener(t, {
    snapshot: await makeSnapshot(t, { authority }),
    allowed: ['uri:spiffe://dev/fabric/*'],
  });
  const cases: [RefusalReason, Authority, CertificateRequest][] = [
    ['unknown_ca', await createAuthority(), { uris: ['spiffe://dev/fabric/x'] }],
    ['certificate_expired', authority, { uris: ['spiffe://dev/fabric/x'], notAfter: new Date(Date.now() - DAY_MS) }],
    [
      'certificate_not_yet_valid',
      authority,
      { uris: ['spiffe://dev/fabric/x'], notBefore: new Date(Date.now() + DAY_MS) },
    ],
    ['wrong_key_usage', authority, { uris: ['spiffe://dev/fabric/x'], usage: 'server' }],
    ['subject_not_allowed', authority, { uris: ['spiffe://dev/other/x'] }],
    // A stranger's expired certificate is a stranger's first.
    [
      'unknown_ca',
      await createAuthority(),
      { uris: ['spiffe://dev/fabric/x'], notAfter: new Date(Date.now() - DAY_MS) },
    ],
  ];
  for (const [reason, issuer, request] of cases) {
    server.log.length = 0;
    const { certPem, keyPem } = await issuer.issue(request);
    const answer = await readAll(tlsTo(server, { cert: certPem, key: keyPem }));
    assert.equal(refusalIn(answer)?.facts.reason, reason);
    const line = server.refused(reason);
    assert.ok(line !== undefined, `no log line for ${reason}: ${JSON.stringify(server.log)}`);
    assert.match(String(line.fingerprint), /^[0-9a-f]{64}$/);
    assert.match(
      await server.metrics.expose(),
      new RegExp(`selvedge_connections_refused_total\\{reason="${reason}"\\} [1-9]`),
    );
    assert.equal(server.listener.connections.length, 0);
  }
});

test('a client without a certificate is refused as no_certificate', async t => {
  const server = await startListener(t, { snapshot: await makeSnapshot(t) });
  assert.equal(refusalIn(await readAll(tlsTo(server, {})))?.facts.reason, 'no_certificate');
});

test('where client certificates are not required a client without one is anonymous, over TLS', async t => {
  const snapshot = await makeSnapshot(t);
  const server = await startListener(t, { mode: 'optional', snapshot, requireClientAuth: false });
  const socket = tlsTo(server, {});
  await new Promise(resolve => socket.once('secureConnect', resolve));
  await until('the connection is admitted', () => server.listener.connections.length === 1);
  assert.deepEqual([...(server.listener.connections[0]?.caller.roles ?? [])], ['anonymous']);
  socket.destroy();
});

test('a strict listener tells a plaintext HTTP/2 client why', async t => {
  const server = await startListener(t, { snapshot: await makeSnapshot(t) });
  const answer = await readAll(plainTo(server, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
  assert.equal(refusalIn(answer)?.facts.reason, 'plaintext_refused');
});

test('a plain listener answers a ClientHello with the alert insufficient_security', async t => {
  const server = await startListener(t, { mode: 'plain' });
  const socket = tlsTo(server, {});
  const error = await new Promise<NodeJS.ErrnoException>(resolve => socket.once('error', resolve));
  assert.equal(error.code, 'ERR_SSL_TLSV1_ALERT_INSUFFICIENT_SECURITY');
  assert.ok(server.refused('tls_on_plain_listener'));
});

test('a TLS 1.2 client is refused as tls_version', async t => {
  const server = await startListener(t, { snapshot: await makeSnapshot(t) });
  await readAll(tlsTo(server, { maxVersion: 'TLSv1.2' }));
  await until('it is logged', () => server.refused('tls_version') !== undefined);
});

test('where a dialler hangs up over the certificate that it was shown, the log says that this may be why', async t => {
  const server = await startListener(t, { snapshot: await makeSnapshot(t) });
  const { anchorsPem: ca } = await createAuthority();
  const socket = tlsTo(server, { rejectUnauthorized: true, ca });
  const error = await new Promise<NodeJS.ErrnoException>(resolve => socket.once('error', resolve));
  assert.match(String(error.code), /SELF_SIGNED|UNABLE_TO/);
  await until('it is logged', () => server.refused('handshake_failed') !== undefined);
  assert.match(String(server.refused('handshake_failed')?.detail), /it may have refused our certificate/);
});

test('an HTTP/1 request gets an answer in its own words, and is counted', async t => {
  const server = await startListener(t, { mode: 'optional', snapshot: await makeSnapshot(t) });
  const answer = await readAll(plainTo(server, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
  assert.match(answer.toString(), /^HTTP\/1\.1 400 /);
  assert.ok(server.refused('handshake_failed'));
});

test('garbage, half a ClientHello and silence are each closed within their deadline and counted, and nobody else notices', async t => {
  const authority = await createAuthority();
  const snapshot = await makeSnapshot(t, { authority });
  const server = await startListener(t, { mode: 'optional', snapshot, sniffTimeoutMs: 300, handshakeTimeoutMs: 300 });
  const garbage = readAll(plainTo(server, '\0\0\0\0garbage'));
  const half = readAll(plainTo(server, Buffer.from('160301020001000100', 'hex')));
  const broken = readAll(plainTo(server, Buffer.from('1603010005ffffffffff', 'hex')));
  const silent = readAll(plainTo(server, ''));
  const stalled = readAll(plainTo(server, 'PRI * HT'));
  const { client } = startConnector(t, {
    addresses: [{ ...server.address, scheme: 'https' }],
    snapshot: await makeSnapshot(t, { authority }),
  });
  assert.equal(await echo(client, 'fine'), 'fine');
  await Promise.all([garbage, half, broken, silent, stalled]);
  const exposed = await server.metrics.expose();
  assert.match(exposed, /refused_total\{reason="handshake_failed"\} 2/);
  assert.match(exposed, /refused_total\{reason="handshake_timeout"\} 1/);
  assert.match(exposed, /refused_total\{reason="sniff_timeout"\} 2/);
  assert.equal(await echo(client, 'still fine'), 'still fine');
});

test('the connection over the cap is refused as too_many_connections, and there is room again when one leaves', async t => {
  const authority = await createAuthority();
  const snapshot = await makeSnapshot(t, { authority });
  const server = await startListener(t, { snapshot, maxConnections: 1 });
  const addresses = [withScheme(server.address, 'https')];
  const first = startConnector(t, { addresses, snapshot });
  assert.equal(await echo(first.client, 'in'), 'in');
  const second = startConnector(t, { addresses, snapshot });
  await assert.rejects(echo(second.client, 'out'), /not connected/);
  await until('it is logged', () => server.refused('too_many_connections') !== undefined);
  first.connector.close();
  await until('there is room', async () => (await echo(second.client, 'in').catch(() => '')) === 'in');
});

test('connections without a certificate have a cap of their own, and leave room for peers', async t => {
  const snapshot = await makeSnapshot(t);
  const options = { requireClientAuth: false, maxConnections: 2, maxConnectionsWithoutCertificate: 1 } as const;
  const server = await startListener(t, { snapshot, ...options });
  const stranger = tlsTo(server, {});
  await until('the first is in', () => server.listener.connections.length === 1);
  const answer = await readAll(tlsTo(server, {}));
  assert.equal(refusalIn(answer)?.facts.reason, 'too_many_connections');
  assert.match(String(server.refused('too_many_connections')?.detail), /without a certificate/);
  const peer = startConnector(t, { addresses: [withScheme(server.address, 'https')], snapshot });
  assert.equal(await echo(peer.client, 'in'), 'in');
  peer.connector.close();
  await until('the peer has left', () => server.listener.connections.length === 1);
  stranger.destroy();
  await until('all have left', () => server.listener.connections.length === 0);
  const next = tlsTo(server, {});
  await until('there is room', () => server.listener.connections.length === 1);
  next.destroy();
});

test('beyond the cap of unfinished handshakes the oldest is dropped, so a newcomer always gets its chance', async t => {
  const authority = await createAuthority();
  const server = await startListener(t, { snapshot: await makeSnapshot(t, { authority }), maxUnfinishedHandshakes: 5 });
  const silent = Array.from({ length: 20 }, () => plainTo(server, ''));
  await until('some were dropped', () => silent.filter(socket => socket.destroyed).length >= 15);
  const { client } = startConnector(t, {
    addresses: [{ ...server.address, scheme: 'https' }],
    snapshot: await makeSnapshot(t, { authority }),
  });
  assert.equal(await echo(client, 'in'), 'in');
  for (const socket of silent) socket.destroy();
});

test('a peer that is refused again and again is held back', async t => {
  const server = await startListener(t, { snapshot: await makeSnapshot(t) });
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
  await readAll(plainTo(server, preface));
  const startedAt = performance.now();
  await readAll(plainTo(server, preface));
  assert.ok(performance.now() - startedAt >= 490);
});

function tlsTo(server: TestListener, options: tls.ConnectionOptions): tls.TLSSocket {
  return tls.connect({
    port: server.address.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    ...options,
  });
}

function plainTo(server: TestListener, text: string | Buffer): net.Socket {
  const socket = net.connect(server.address.port, '127.0.0.1');
  if (text.length > 0) socket.write(text);
  socket.on('error', () => {});
  return socket;
}

function readAll(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', chunk => chunks.push(chunk));
  socket.on('error', () => {});
  return new Promise(resolve => socket.once('close', () => resolve(Buffer.concat(chunks))));
}
