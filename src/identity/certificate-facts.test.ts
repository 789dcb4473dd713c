import 'reflect-metadata';
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { test } from 'node:test';
import * as x509 from '@peculiar/x509';
import { readCertificateFacts } from './certificate-facts.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

async function certificate(...extensions: x509.Extension[]): Promise<Uint8Array> {
  x509.cryptoProvider.set(webcrypto);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test',
    keys,
    signingAlgorithm: algorithm,
    extensions,
  });
  return new Uint8Array(made.rawData);
}

test('a certificate without extensions is no CA and may be used for anything', async () => {
  assert.deepEqual(readCertificateFacts(await certificate()), {
    version: 3,
    isCa: false,
    keyUsages: undefined,
    extendedKeyUsages: undefined,
  });
});

test('usages are read by name and by object identifier', async () => {
  const usages = x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.decipherOnly;
  const facts = readCertificateFacts(
    await certificate(
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(usages, true),
      new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.2', '2.999.268435455', '0.9.2342']),
    ),
  );
  assert.equal(facts.isCa, true);
  assert.deepEqual(facts.keyUsages, ['digitalSignature', 'keyCertSign', 'decipherOnly']);
  assert.deepEqual(facts.extendedKeyUsages, ['1.3.6.1.5.5.7.3.2', '2.999.268435455', '0.9.2342']);
});

test('basic constraints without cA are those of a leaf', async () => {
  assert.equal(readCertificateFacts(await certificate(new x509.BasicConstraintsExtension(false))).isCa, false);
});

for (const [what, oid, hex] of [
  ['an empty list of extended usages', '2.5.29.37', '3000'],
  ['a key usage of another type', '2.5.29.15', '0402'],
  ['a key usage with impossible padding', '2.5.29.15', '03020980'],
  ['basic constraints with a cA that is neither true nor false', '2.5.29.19', '3003010101'],
  ['an object identifier that does not end', '2.5.29.37', '3003060180'],
] as const) {
  test(`${what} is malformed`, async () => {
    const der = await certificate(new x509.Extension(oid, false, Buffer.from(hex, 'hex')));
    assert.throws(() => readCertificateFacts(der), { code: 'certificate_malformed' });
  });
}
