import 'reflect-metadata';
import assert from 'node:assert/strict';
import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  webcrypto,
  X509Certificate,
} from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { BasicConstraintsExtension, X509CertificateGenerator } from '@peculiar/x509';
import { type Authority, createAuthority, openAuthority } from '../dev-pki/authority.ts';
import { openSigner, SIGNING_ALGORITHM } from '../dev-pki/signer.ts';
import { readPeerIdentity } from '../identity/peer-identity.ts';
import { splitPem } from '../identity/pem.ts';
import { findPaths } from './certificate-path.ts';
import type { TrustAnchor } from './trust-anchors.ts';

const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };

test('a path through nine CAs is found among strangers of the same names, in any order', async () => {
  const root = await createAuthority({ commonName: 'root' });
  const { leaf, issuers } = await descent(root, 9);
  const stranger = await createAuthority({ commonName: 'root' });
  const others = await Promise.all(
    Array.from({ length: 10 }, (_, index) => stranger.issue({ commonName: `ca ${index}`, isCa: true })),
  );
  const certificates = [...issuers, ...others.map(({ certPem }) => certificateOf(certPem))];
  for (const order of [certificates, certificates.toReversed()])
    assert.deepEqual(
      findPaths(leaf, order, [anchorOf(root)]).map(({ length }) => length),
      [11],
    );
});

test('an issuer that is presented twice, or is the leaf or an anchor, makes no further path', async () => {
  const root = await createAuthority({ commonName: 'root' });
  const { leaf, issuers } = await descent(root, 1);
  const again = issuers.map(({ raw }) => new X509Certificate(raw));
  const anchor = anchorOf(root);
  assert.equal(findPaths(leaf, [...issuers, ...again, leaf, anchor.certificate], [anchor]).length, 1);
});

test('a key that no anchor vouches for checks no signature', async t => {
  const stranger = await createAuthority({ commonName: 'root' });
  const { leaf, issuers } = await descent(stranger, 9);
  const checks = countChecks(t);
  const paths = findPaths(leaf, [...issuers, anchorOf(stranger).certificate], [anchorOf(await createAuthority())]);
  assert.deepEqual(paths, []);
  assert.equal(checks(), 0);
});

test('CAs that sign each other in circles cost no more than 24 checks, and the shortest path comes first', async t => {
  const root = await createAuthority({ commonName: 'root' });
  const keys = [generateKeyPairSync('ec', { namedCurve: 'P-256' }), generateKeyPairSync('ec', { namedCurve: 'P-256' })];
  const crossed: X509Certificate[] = [];
  const signers = [(await openSigner(root)).key];
  for (const { privateKey } of keys) signers.push(await signingKey(privateKey));
  for (const signer of signers)
    for (const { publicKey } of keys)
      for (let copy = 0; copy < 3; copy += 1) crossed.push(await issueFor('root', publicKey, 'root', signer));
  const leaf = await issueFor('leaf', keys[0]?.publicKey, 'root', signers[0]);
  const checks = countChecks(t);
  const lengths = findPaths(leaf, crossed, [anchorOf(root)]).map(({ length }) => length);
  assert.equal(lengths[0], 2);
  assert.ok(lengths.length <= 8);
  assert.ok(checks() > 0 && checks() <= 24, `${checks()} checks`);
});

test('a key that makes each check dear checks no signature, though an anchor vouches for it', async t => {
  const root = await createAuthority({ commonName: 'root' });
  const signer = (await openSigner(root)).key;
  const { publicKey: leafKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ecdsa = await signingKey(privateKey);
  const rsa = await signingKey(generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey);
  const cases: Record<string, [key: KeyObject, checks: number]> = {
    'an ordinary RSA key': [rsaKey(2_048, Buffer.from([1, 0, 1])), 2],
    'an ordinary curve': [leafKey, 2],
    'an exponent of 33 bits': [rsaKey(2_048, Buffer.from([1, 0, 0, 0, 1])), 1],
    'an exponent as long as the modulus': [rsaKey(3_072, odd(384)), 1],
    'a modulus of 8200 bits': [rsaKey(8_200, Buffer.from([1, 0, 1])), 1],
    'a curve without a name': [keyOfNamelessCurve(), 1],
  };
  const checks = countChecks(t);
  for (const [what, [key, expected]] of Object.entries(cases)) {
    const ca = await issueFor('ca', key, 'root', signer);
    const leaf = await issueFor('leaf', leafKey, 'ca', key.asymmetricKeyType === 'rsa' ? rsa : ecdsa);
    const before = checks();
    findPaths(leaf, [ca], [anchorOf(root)]);
    assert.equal(checks() - before, expected, what);
  }
});

/** A leaf under a row of so many CAs. */
async function descent(root: Authority, depth: number): Promise<{ leaf: X509Certificate; issuers: X509Certificate[] }> {
  const issuers: X509Certificate[] = [];
  let issuer = root;
  for (let index = 0; index < depth; index += 1) {
    const { certPem, keyPem } = await issuer.issue({ commonName: `ca ${index}`, isCa: true });
    issuers.push(certificateOf(certPem));
    issuer = await openAuthority({ certPem, keyPem });
  }
  return { leaf: certificateOf((await issuer.issue({ commonName: 'leaf' })).certPem), issuers };
}

/** A CA certificate without key identifiers; a `signer` that is not the issuer's key leaves it well-formed. */
async function issueFor(
  subject: string,
  key: KeyObject | undefined,
  issuer: string,
  signer: webcrypto.CryptoKey | undefined,
): Promise<X509Certificate> {
  assert.ok(key !== undefined && signer !== undefined);
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: `40${randomBytes(8).toString('hex')}`,
      subject: `CN=${subject}`,
      issuer: `CN=${issuer}`,
      publicKey: key.export({ type: 'spki', format: 'der' }),
      signingKey: signer,
      signingAlgorithm: signer.algorithm.name === 'ECDSA' ? SIGNING_ALGORITHM : RSA,
      extensions: [new BasicConstraintsExtension(subject !== 'leaf', undefined, true)],
    },
    webcrypto,
  );
  return new X509Certificate(Buffer.from(certificate.rawData));
}

function rsaKey(bits: number, exponent: Buffer): KeyObject {
  const jwk = { kty: 'RSA', n: odd(bits / 8).toString('base64url'), e: exponent.toString('base64url') };
  return createPublicKey({ key: jwk, format: 'jwk' });
}

/** On P-256, with the public point as the generator. */
function keyOfNamelessCurve(): KeyObject {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const point = spki.subarray(-65);
  const generator = spki.indexOf('046b17d1f2e12c4247', 0, 'hex');
  assert.ok(generator > 0);
  point.copy(spki, generator);
  return createPublicKey({ key: spki, type: 'spki', format: 'der' });
}

/** A random odd number of so many bytes, the first bit set. */
function odd(bytes: number): Buffer {
  const number = randomBytes(bytes);
  number[0] = 0x80 | (number[0] ?? 0);
  number[bytes - 1] = 1 | (number[bytes - 1] ?? 0);
  return number;
}

function signingKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const algorithm = key.asymmetricKeyType === 'rsa' ? RSA : SIGNING_ALGORITHM;
  return webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
}

function countChecks(t: TestContext): () => number {
  const { mock } = t.mock.method(X509Certificate.prototype, 'verify');
  return () => mock.callCount();
}

function certificateOf(pem: string): X509Certificate {
  return new X509Certificate(splitPem(pem)[0]?.der ?? Buffer.alloc(0));
}

function anchorOf({ certPem }: Authority): TrustAnchor {
  const certificate = certificateOf(certPem);
  return { certificate, identity: readPeerIdentity(certificate.raw), trustDomain: undefined };
}
