import assert from 'node:assert/strict';
import { test } from 'node:test';
import 'reflect-metadata';
import { createSecureContext } from 'node:tls';
import { X509Certificate, X509Crl } from '@peculiar/x509';
import { createAuthority } from './authority.ts';

test('a revocation list names the certificate and is signed by who issued it', async () => {
  const authority = await createAuthority({ intermediate: true });
  const issued = await authority.issue({ commonName: 'node-1' });
  const revokedAt = new Date('2026-01-02T03:04:05Z');
  const pem = await authority.createCrl([{ serialNumber: issued.serialNumber, revokedAt }]);
  const list = new X509Crl(pem);
  assert.equal(list.entries[0]?.serialNumber.toUpperCase(), issued.serialNumber);
  assert.deepEqual(list.entries[0]?.revocationDate, revokedAt);
  assert.ok(authority.intermediate);
  assert.ok(await list.verify({ publicKey: new X509Certificate(authority.intermediate.certPem) }));
});

test('OpenSSL reads a revocation list, with and without entries', async () => {
  const authority = await createAuthority();
  for (const entries of [[], [{ serialNumber: '0a' }, { serialNumber: 'ff00' }]]) {
    const pem = await authority.createCrl(entries);
    assert.match(pem, /^-----BEGIN X509 CRL-----\n[A-Za-z0-9+/=\n]*\n-----END X509 CRL-----\n$/);
    createSecureContext({ crl: pem });
  }
});

test('the root can sign a list that names the intermediate', async () => {
  const authority = await createAuthority({ intermediate: true });
  const list = new X509Crl(await authority.createCrl([], { by: 'root' }));
  assert.ok(await list.verify({ publicKey: new X509Certificate(authority.certPem) }));
});

test('a list whose next update is past began before it ended', async () => {
  const nextUpdate = new Date(Date.now() - 86_400_000);
  const list = new X509Crl(await (await createAuthority()).createCrl([], { nextUpdate }));
  assert.ok(list.nextUpdate && list.nextUpdate.getTime() <= nextUpdate.getTime());
  assert.ok(list.thisUpdate < list.nextUpdate);
});
