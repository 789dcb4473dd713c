import assert from 'node:assert/strict';
import * as net from 'node:net';
import { type TestContext, test } from 'node:test';
import * as tls from 'node:tls';
import { createAuthority } from '../dev-pki/authority.ts';
import { reasonOfTlsError } from './alert-reason.ts';

/** RFC 8446 6: alert descriptions and what they mean to a dialler. */
const ALERTS: readonly [number, string, string][] = [
  [71, 'insufficient_security', 'tls_on_plain_listener'],
  [70, 'protocol_version', 'tls_version'],
  [48, 'unknown_ca', 'unknown_ca'],
  [116, 'certificate_required', 'no_certificate'],
  [45, 'certificate_expired', 'certificate_expired'],
  [44, 'certificate_revoked', 'certificate_revoked'],
  [43, 'unsupported_certificate', 'wrong_key_usage'],
  [49, 'access_denied', 'subject_not_allowed'],
  [40, 'handshake_failure', 'handshake_failed'],
  [42, 'bad_certificate', 'handshake_failed'],
  [46, 'certificate_unknown', 'handshake_failed'],
  [80, 'internal_error', 'handshake_failed'],
];

for (const [number, name, reason] of ALERTS) {
  test(`the alert ${name} of a server is read as ${reason}`, async t => {
    const error = await dial(t, Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, number]));
    assert.equal(reasonOfTlsError(error)?.reason, reason, error.message);
  });
}

test('an answer that is not TLS is told in words', async t => {
  const error = await dial(t, Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
  assert.deepEqual(reasonOfTlsError(error), {
    reason: 'handshake_failed',
    detail: 'the server does not speak TLS on this port',
  });
});

test('a server that knows only older versions is refused as tls_version', async t => {
  const { certPem, keyPem } = await (await createAuthority()).issue({ dnsNames: ['localhost'] });
  const server = tls.createServer({ cert: certPem, key: keyPem, maxVersion: 'TLSv1.2' });
  server.on('tlsClientError', () => {});
  const error = await dialTo(t, server);
  assert.equal(reasonOfTlsError(error)?.reason, 'tls_version', error.message);
});

test('a broken connection is no refusal', () => {
  assert.equal(reasonOfTlsError(Object.assign(new Error('x'), { code: 'ECONNRESET' })), undefined);
  assert.equal(reasonOfTlsError(new Error('x')), undefined);
});

function dial(t: TestContext, answer: Buffer): Promise<Error> {
  const server = net.createServer(socket => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  });
  return dialTo(t, server);
}

async function dialTo(t: TestContext, server: net.Server): Promise<Error> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const socket = tls.connect({
    port: address.port,
    host: '127.0.0.1',
    minVersion: 'TLSv1.3',
    rejectUnauthorized: false,
  });
  t.after(() => {
    socket.destroy();
    server.close();
  });
  return new Promise(resolve => socket.once('error', resolve));
}
