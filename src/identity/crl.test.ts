import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { type Authority, createAuthority } from '../dev-pki/authority.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { type CertificateRevocationList, crlSteps, readCrl } from './crl.ts';
import { splitPem } from './pem.ts';

const certificateOf = (pem: string): X509Certificate => new X509Certificate(pem);

function derOf(pem: string): Uint8Array {
  const [block] = splitPem(pem);
  assert.ok(block !== undefined);
  return block.der;
}

async function crlOf(authority: Authority, serialNumbers: readonly string[]): Promise<CertificateRevocationList> {
  return readCrl(derOf(await authority.createCrl(serialNumbers.map(serialNumber => ({ serialNumber })))));
}

test('a list revokes the certificates it names and no others', async () => {
  const authority = await createAuthority();
  const [bad, good] = [await authority.issue({ commonName: 'bad' }), await authority.issue({ commonName: 'good' })];
  const list = await crlOf(authority, [bad.serialNumber]);
  assert.ok(list.revokes(certificateOf(bad.certPem)));
  assert.ok(!list.revokes(certificateOf(good.certPem)));
});

test('serial numbers are compared as numbers: high first bits and one digit alike', async () => {
  const authority = await createAuthority();
  for (const serialNumber of ['01', '7f', '80', 'f3a1', '0f'.repeat(16)]) {
    const { certPem } = await authority.issue({ commonName: 'x', serialNumber });
    const certificate = certificateOf(certPem);
    assert.ok((await crlOf(authority, [certificate.serialNumber])).revokes(certificate), serialNumber);
    assert.ok(!(await crlOf(authority, ['02'])).revokes(certificate), serialNumber);
  }
});

test('an empty list revokes nobody and says when the next one is due', async () => {
  const authority = await createAuthority({ commonName: 'the ca' });
  const nextUpdate = new Date('2031-02-03T04:05:06Z');
  const list = readCrl(derOf(await authority.createCrl([], { nextUpdate })));
  assert.equal(list.revokedSerials.size, 0);
  assert.deepEqual(list.nextUpdate, nextUpdate);
  assert.ok(list.thisUpdate < new Date());
  assert.equal(list.issuer, 'CN=the ca');
});

test('only the key of the issuer makes a list signed by it, whatever the names say', async () => {
  const [authority, impostor] = [
    await createAuthority({ commonName: 'the ca' }),
    await createAuthority({ commonName: 'the ca' }),
  ];
  const list = await crlOf(authority, ['01']);
  assert.ok(list.isNamedFor(certificateOf(authority.certPem)));
  assert.ok(list.isSignedBy(certificateOf(authority.certPem)));
  assert.ok(list.isNamedFor(certificateOf(impostor.certPem)));
  assert.ok(!list.isSignedBy(certificateOf(impostor.certPem)));
});

test('a list of another issuer is not named for this one', async () => {
  const list = await crlOf(await createAuthority({ commonName: 'one' }), []);
  assert.ok(!list.isNamedFor(certificateOf((await createAuthority({ commonName: 'two' })).certPem)));
});

test('a list that was changed after signing is not signed', async () => {
  const authority = await createAuthority();
  const der = Buffer.from(derOf(await authority.createCrl([{ serialNumber: '4142434445464748' }])));
  const position = der.indexOf(Buffer.from('4142434445464748', 'hex'));
  der.writeUInt8(0x43, position);
  const list = readCrl(der);
  assert.deepEqual([...list.revokedSerials], ['4342434445464748']);
  assert.ok(!list.isSignedBy(certificateOf(authority.certPem)));
});

test('what is not a revocation list is malformed, at every length', async () => {
  const authority = await createAuthority();
  const der = derOf(await authority.createCrl([{ serialNumber: '01' }]));
  const isMalformed = (error: unknown): boolean => isSelvedgeError(error, 'certificate_malformed');
  assert.throws(() => readCrl(derOf(authority.certPem)), isMalformed);
  for (let length = 0; length < der.length; length++)
    assert.throws(() => readCrl(der.subarray(0, length)), isMalformed);
  assert.throws(() => readCrl(Buffer.concat([der, Buffer.from([0])])), isMalformed);
});

test('a list can be read with a pause after each entry', async () => {
  const authority = await createAuthority();
  const revoked = ['01', '02', '03'].map(serialNumber => ({ serialNumber }));
  const steps = crlSteps(derOf(await authority.createCrl(revoked)));
  for (const _entry of revoked) assert.equal(steps.next().done, false);
  const last = steps.next();
  assert.ok(last.done === true && last.value.revokedSerials.size === 3);
});
