import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { type Authority, createAuthority } from '../dev-pki/authority.ts';
import type { IssuedCertificate } from '../dev-pki/issue.ts';
import { FileContent } from './credential-bytes.ts';
import { type CrlReading, RevocationIndex, readCrlFiles, warningsOfCrls } from './revocation.ts';

const now = new Date();
const yesterday = new Date(now.getTime() - 24 * 60 * 60 * 1_000);

function read(...contents: (string | Uint8Array)[]): CrlReading {
  return readCrlFiles(contents.map((content, index) => new FileContent(`${index}.crl`, 0o644, Buffer.from(content))));
}

function indexOf(reading: CrlReading): RevocationIndex {
  assert.deepEqual(reading.problems, []);
  return new RevocationIndex(reading.lists.map(({ list }) => list));
}

const isRevoked = (index: RevocationIndex, certificate: IssuedCertificate, by: Authority): boolean =>
  index.isRevoked(new X509Certificate(certificate.certPem), new X509Certificate(by.certPem));

const revoke = ({ serialNumber }: IssuedCertificate): [{ serialNumber: string }] => [{ serialNumber }];

test('a certificate is revoked by the list of its own issuer alone', async () => {
  const [one, two] = [await createAuthority({ commonName: 'one' }), await createAuthority({ commonName: 'two' })];
  const ofOne = await one.issue({ commonName: 'x' });
  const ofTwo = await two.issue({ commonName: 'x', serialNumber: ofOne.serialNumber });
  const index = indexOf(read(await one.createCrl(revoke(ofOne))));
  assert.ok(isRevoked(index, ofOne, one));
  assert.ok(!isRevoked(index, ofTwo, two));
});

test('a CRL for one CA says nothing about the peers of another', async () => {
  const [one, two] = [await createAuthority({ commonName: 'one' }), await createAuthority({ commonName: 'two' })];
  const index = indexOf(read(await one.createCrl([])));
  assert.ok(!isRevoked(index, await two.issue({ commonName: 'x' }), two));
});

test('a forged list is ignored, with a warning', async () => {
  const [real, forger] = [await createAuthority({ commonName: 'ca' }), await createAuthority({ commonName: 'ca' })];
  const certificate = await real.issue({ commonName: 'x' });
  const reading = read(await forger.createCrl(revoke(certificate)));
  assert.ok(!isRevoked(indexOf(reading), certificate, real));
  assert.deepEqual(warningsOfCrls(reading.lists, [new X509Certificate(real.certPem)], now), [
    '0.crl: the CRL of CN=ca is ignored: its signature is not by that CA',
  ]);
});

test('an expired list keeps its entries, with a warning', async () => {
  const authority = await createAuthority({ commonName: 'ca' });
  const certificate = await authority.issue({ commonName: 'x' });
  const reading = read(await authority.createCrl(revoke(certificate), { nextUpdate: yesterday }));
  assert.ok(isRevoked(indexOf(reading), certificate, authority));
  const [warning] = warningsOfCrls(reading.lists, [new X509Certificate(authority.certPem)], now);
  assert.match(warning ?? '', /^0\.crl: the CRL of CN=ca expired on .*Z; its entries still count$/);
});

test('a list of a CA that is not known yet is a warning and counts once a peer presents that CA', async () => {
  const authority = await createAuthority({ commonName: 'unknown' });
  const certificate = await authority.issue({ commonName: 'x' });
  const reading = read(await authority.createCrl(revoke(certificate)));
  assert.match(warningsOfCrls(reading.lists, [], now).join(), /of none of the trust anchors/);
  assert.ok(isRevoked(indexOf(reading), certificate, authority));
});

test('lists may be PEM, several to a file, or DER', async () => {
  const authorities = await Promise.all(['a', 'b', 'c'].map(commonName => createAuthority({ commonName })));
  const [a, b, c] = await Promise.all(authorities.map(authority => authority.createCrl([])));
  const der = Buffer.from((c ?? '').replaceAll(/-----.*-----|\n/g, ''), 'base64');
  const { lists, problems } = read(`${a}\n${b}`, der);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    lists.map(({ list }) => list.issuer),
    ['CN=a', 'CN=b', 'CN=c'],
  );
});

test('a file without a list is a problem', async () => {
  const { certPem } = await createAuthority();
  assert.deepEqual(read(certPem).problems, [{ file: '0.crl', problem: 'holds no certificate revocation list' }]);
  assert.equal(read('garbage').problems.length, 1);
});
