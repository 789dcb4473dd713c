import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { type Authority, createAuthority, openAuthority } from './authority.ts';
import type { CertificateRequest, IssuedCertificate } from './issue.ts';

const DAY_MS = 86_400_000;

test('an issued pair does a mutual TLS handshake', async t => {
  const authority = await createAuthority();
  assert.deepEqual(await handshake(t, authority, {}), { server: null, client: null });
});

test('an intermediate is sent along and the root alone is the anchor', async t => {
  const authority = await createAuthority({ intermediate: true });
  const issued = await authority.issue({ commonName: 'node-1' });
  assert.equal(issued.certPem.split('BEGIN CERTIFICATE').length - 1, 2);
  assert.ok(!issued.certPem.includes(authority.certPem.trim()));
  assert.ok(issued.certPem.endsWith('-----END CERTIFICATE-----\n'));
  assert.deepEqual(await handshake(t, authority, {}), { server: null, client: null });
});

test('an expired certificate is expired', async t => {
  const authority = await createAuthority();
  const outcome = await handshake(t, authority, { notAfter: new Date(Date.now() - 30 * DAY_MS) });
  assert.equal(outcome.server, 'CERT_HAS_EXPIRED');
});

test('a certificate of tomorrow is not yet valid', async t => {
  const authority = await createAuthority();
  const outcome = await handshake(t, authority, { notBefore: new Date(Date.now() + DAY_MS) });
  assert.equal(outcome.server, 'CERT_NOT_YET_VALID');
});

test('a certificate for another purpose is refused', async t => {
  const authority = await createAuthority();
  assert.equal((await handshake(t, authority, { usage: 'server' })).server, 'INVALID_PURPOSE');
  assert.equal((await handshake(t, authority, { usage: 'codeSigning' })).server, 'INVALID_PURPOSE');
  assert.equal((await handshake(t, authority, { usage: 'client' })).server, null);
  assert.equal((await handshake(t, authority, { usage: 'none' })).server, null);
});

test('a certificate of another authority is refused', async t => {
  const [authority, other] = [await createAuthority(), await createAuthority()];
  const stranger = await other.issue({ commonName: 'node-1' });
  const outcome = await handshake(t, authority, {}, stranger);
  assert.equal(outcome.server, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
});

test('validity defaults to 90 days, and begins before now', async () => {
  const leaf = await issuedBy(await createAuthority(), {});
  const days = (Date.parse(leaf.validTo) - Date.now()) / DAY_MS;
  assert.ok(days > 89 && days <= 90, `${days} days`);
  assert.ok(Date.parse(leaf.validFrom) < Date.now() - 60_000);
});

test('a root holds for ten years unless told otherwise', async () => {
  const years = (authority: Authority): number =>
    (Date.parse(new X509Certificate(authority.certPem).validTo) - Date.now()) / (365.25 * DAY_MS);
  assert.ok(Math.abs(years(await createAuthority()) - 10) < 0.05);
  const expired = await createAuthority({ notAfter: new Date(Date.now() - DAY_MS), intermediate: true });
  assert.ok(years(expired) < 0);
});

test('names stand in the certificate as they were given', async () => {
  const leaf = await issuedBy(await createAuthority(), {
    commonName: 'a+b,CN=c#"\\',
    dnsNames: ['node-1', '*.example.com'],
    uris: ['spiffe://dev/fabric/node-1'],
    ipAddresses: ['10.0.0.7', '2001:db8::5'],
  });
  assert.equal(leaf.toLegacyObject().subject.CN, 'a+b,CN=c#"\\');
  assert.equal(
    leaf.subjectAltName,
    'DNS:node-1, DNS:*.example.com, URI:spiffe://dev/fabric/node-1, IP Address:10.0.0.7, IP Address:2001:DB8:0:0:0:0:0:5',
  );
});

test('a test can ask for hostile names', async () => {
  const authority = await createAuthority();
  const several = await issuedBy(authority, { commonName: ['node-1', 'admin'] });
  assert.deepEqual(several.toLegacyObject().subject.CN, ['node-1', 'admin']);

  const zero = await issuedBy(authority, { commonName: 'node-1\0.evil', dnsNames: ['node-1\0.evil', 'knoten-ä'] });
  assert.ok(zero.raw.includes(Buffer.from('node-1\0.evil')));
  assert.ok(zero.raw.includes(Buffer.from('knoten-ä')));

  const registeredId = Buffer.from('8803290102', 'hex');
  const raw = await issuedBy(authority, { rawAltNames: [registeredId] });
  assert.ok(raw.raw.includes(registeredId));
  assert.equal((await issuedBy(authority, { commonName: '' })).subject, 'CN=');
});

test('a leaf is no CA unless asked for', async () => {
  const authority = await createAuthority();
  assert.equal((await issuedBy(authority, {})).ca, false);
  assert.equal((await issuedBy(authority, { isCa: true })).ca, true);
});

test('the serial number is the one of the certificate', async () => {
  const authority = await createAuthority();
  for (const serialNumber of [undefined, '0a', '7fffffffffffffffffffffffffffffff']) {
    const issued = await authority.issue(serialNumber === undefined ? {} : { serialNumber });
    assert.equal(issued.serialNumber, new X509Certificate(issued.certPem).serialNumber);
  }
});

test('an authority that was stored issues what the original vouches for', async t => {
  const original = await createAuthority({ commonName: 'kept', intermediate: true });
  const { certPem, keyPem, intermediate } = original;
  assert.ok(intermediate);
  const reopened = await openAuthority({ certPem, keyPem, intermediate });
  assert.equal(reopened.name, 'kept');
  const outcome = await handshake(t, original, {}, await reopened.issue({ commonName: 'node-1' }));
  assert.equal(outcome.server, null);
});

test('a key of another authority is told apart when an authority is opened', async () => {
  const [one, two] = [await createAuthority(), await createAuthority()];
  await assert.rejects(openAuthority({ certPem: one.certPem, keyPem: two.keyPem }), error =>
    isSelvedgeError(error, 'certificate_malformed'),
  );
  await assert.rejects(openAuthority({ certPem: one.certPem, keyPem: one.keyPem, intermediate: two }), error =>
    isSelvedgeError(error, 'certificate_malformed'),
  );
  await assert.rejects(openAuthority({ certPem: 'nothing', keyPem: one.keyPem }), error =>
    isSelvedgeError(error, 'certificate_malformed'),
  );
});

async function issuedBy(authority: Authority, request: CertificateRequest): Promise<X509Certificate> {
  return new X509Certificate((await authority.issue(request)).certPem);
}

/** What each side says of the other: an OpenSSL error name, or null when it is content. */
async function handshake(
  t: TestContext,
  authority: Authority,
  request: CertificateRequest,
  shown?: IssuedCertificate,
): Promise<{ server: string | null; client: string | null }> {
  const own = await authority.issue({ commonName: 'server', dnsNames: ['localhost'], usage: 'server' });
  const other = shown ?? (await authority.issue({ commonName: 'client', ...request }));
  const server = createServer({
    cert: own.certPem,
    key: own.keyPem,
    ca: authority.anchorsPem,
    requestCert: true,
    rejectUnauthorized: false,
  });
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    cert: other.certPem,
    key: other.keyPem,
    ca: authority.anchorsPem,
    rejectUnauthorized: false,
  });
  t.after(() => client.destroy());
  const [[accepted]] = (await Promise.all([once(server, 'secureConnection'), once(client, 'secureConnect')])) as [
    [TLSSocket],
    unknown[],
  ];
  accepted.on('error', () => {});
  t.after(() => accepted.destroy());
  return { server: verdictOf(accepted), client: verdictOf(client) };
}

/** Node declares an Error but gives the name of the OpenSSL error. */
function verdictOf(socket: TLSSocket): string | null {
  return socket.authorized ? null : String(socket.authorizationError);
}
