import 'reflect-metadata';
import assert from 'node:assert/strict';
import { X509Certificate as NodeCertificate, webcrypto } from 'node:crypto';
import { before, test } from 'node:test';
import * as x509 from '@peculiar/x509';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { matchIdentity } from './match-identity.ts';
import { type PeerIdentity, readPeerIdentity } from './peer-identity.ts';
import { parsePatterns } from './subject-name-pattern.ts';

const DNS = 0x82;
const URI = 0x86;
const IP = 0x87;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
let keys: webcrypto.CryptoKeyPair;

before(async () => {
  x509.cryptoProvider.set(webcrypto);
  keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
});

/** DER of one element, so that tests can write names no library would. */
function element(tag: number, content: string | Uint8Array): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : Buffer.from(content);
  const length = bytes.length < 0x80 ? [bytes.length] : [0x82, bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), bytes]);
}

function alternativeNames(...names: readonly Buffer[]): x509.Extension {
  return new x509.Extension('2.5.29.17', false, element(0x30, Buffer.concat(names)));
}

async function certificate(subject: x509.JsonName | x509.Name, ...extensions: x509.Extension[]): Promise<Uint8Array> {
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: '00c0ffee',
    subject,
    issuer: 'CN=Test CA',
    notBefore: new Date('2024-01-01T00:00:00Z'),
    notAfter: new Date('2060-01-01T00:00:00Z'),
    signingKey: keys.privateKey,
    publicKey: keys.publicKey,
    signingAlgorithm: algorithm,
    extensions,
  });
  return new Uint8Array(made.rawData);
}

async function identityOf(subject: x509.JsonName | x509.Name, ...names: readonly Buffer[]): Promise<PeerIdentity> {
  return readPeerIdentity(await certificate(subject, ...(names.length > 0 ? [alternativeNames(...names)] : [])));
}

const utf8 = (CN: string): x509.Name => new x509.Name([{ CN: [{ utf8String: CN }] }]);

test('an ordinary certificate is read completely', async () => {
  const der = await certificate(
    [{ C: ['CH'] }, { O: ['Example, Inc.'] }, { CN: ['node-1'] }],
    alternativeNames(
      element(DNS, 'node-1.example'),
      element(DNS, '*.pool.example'),
      element(URI, 'spiffe://prod/fabric/node-1'),
      element(IP, Buffer.from([10, 0, 0, 1])),
      element(IP, Buffer.from('20010db8000000000000000000000001', 'hex')),
    ),
  );
  const node = new NodeCertificate(der);
  assert.deepEqual(readPeerIdentity(der), {
    subject: 'CN=node-1,O=Example\\, Inc.,C=CH',
    issuer: 'CN=Test CA',
    commonName: 'node-1',
    commonNames: ['node-1'],
    dnsNames: ['node-1.example', '*.pool.example'],
    uris: ['spiffe://prod/fabric/node-1'],
    ipAddresses: ['10.0.0.1', '2001:db8::1'],
    spiffeId: 'spiffe://prod/fabric/node-1',
    fingerprint256: node.fingerprint256.replaceAll(':', '').toLowerCase(),
    serialNumber: 'c0ffee',
    notBefore: new Date('2024-01-01T00:00:00Z'),
    notAfter: new Date('2060-01-01T00:00:00Z'),
  } satisfies PeerIdentity);
});

test('a certificate without names has none', async () => {
  const identity = await identityOf([]);
  assert.equal(identity.subject, '');
  assert.equal(identity.commonName, undefined);
  assert.deepEqual([identity.dnsNames, identity.uris, identity.ipAddresses], [[], [], []]);
});

test('every common name that is readable is known, though several are no name', async () => {
  const identity = await identityOf(
    new x509.Name([{ CN: ['admin'] }, { CN: [{ utf8String: 'a\n' }] }, { CN: ['other'] }]),
  );
  assert.equal(identity.commonName, undefined);
  assert.deepEqual(identity.commonNames, ['admin', 'other']);
});

const HOSTILE_COMMON_NAMES: readonly (readonly [string, x509.JsonName | x509.Name, string | undefined])[] = [
  ['embedded NUL', utf8('admin\u0000.evil'), undefined],
  ['line feed', utf8('admin\nCN=other'), undefined],
  ['right-to-left override', utf8('admin\u202egnp'), undefined],
  ['zero-width space', utf8('ad\u200bmin'), undefined],
  ['empty', utf8(''), undefined],
  ['comma', utf8('admin,CN=other'), 'admin,CN=other'],
  ['letters that are not ASCII', utf8('Zürich'), 'Zürich'],
  ['a SPIFFE ID', utf8('spiffe://prod/fabric/node-1'), 'spiffe://prod/fabric/node-1'],
  ['upper case', utf8('ADMIN'), 'ADMIN'],
  ['several', [{ CN: ['admin'] }, { CN: ['other'] }], undefined],
  ['several in one set', [{ CN: ['admin', 'other'] }], undefined],
  ['a good one and a damaged one', [{ CN: ['admin'] }, { CN: ['x\u0000'] }], undefined],
];

for (const [what, subject, expected] of HOSTILE_COMMON_NAMES) {
  test(`a common name is the whole of one printable text or none: ${what}`, async () => {
    const identity = await identityOf(subject);
    assert.equal(identity.commonName, expected);
    assert.match(identity.subject, /^[^\p{Cc}\p{Cf}]*$/u);
    assert.equal(matchIdentity(parsePatterns(['cn:admin', 'admin', 'dns:admin']), identity), undefined);
  });
}

test('text that could forge a separator is escaped in the subject', async () => {
  const identity = await identityOf(utf8(' a,O=Evil+b\n"\\# '));
  assert.equal(identity.subject, 'CN=\\ a\\,O=Evil\\+b\\0a\\"\\\\#\\ ');
});

const HOSTILE_DNS_NAMES: readonly string[] = [
  'admin.example\u0000.evil.example',
  'admin.example\n',
  'admin.example, DNS:other.example',
  'admin.ex\u00e4mple',
  'admin..example',
  '.admin.example',
  'a*.example',
  'x.*.example',
  '**.example',
  '*',
  '',
  '10.0.0.1',
  'admin.example/x',
  'spiffe://prod/admin',
  'a'.repeat(64),
];

for (const name of HOSTILE_DNS_NAMES) {
  test(`a text that is no DNS name is left out: ${JSON.stringify(name.slice(0, 40))}`, async () => {
    const identity = await identityOf([], element(DNS, name), element(DNS, 'good.example'));
    assert.deepEqual(identity.dnsNames, ['good.example']);
  });
}

const HOSTILE_URIS: readonly string[] = [
  'spiffe://prod/admin\u0000',
  'spiffe://prod/admin\nspiffe://prod/x',
  'spiffe://prod/admin x',
  'spiffe://prod/\u00e4',
  'prod/admin',
  '',
];

for (const uri of HOSTILE_URIS) {
  test(`a text that is no URI is left out and still counts: ${JSON.stringify(uri)}`, async () => {
    const identity = await identityOf([], element(URI, uri), element(URI, 'spiffe://prod/admin'));
    assert.deepEqual(identity.uris, ['spiffe://prod/admin']);
    assert.equal(identity.spiffeId, undefined);
    assert.equal(matchIdentity(parsePatterns(['spiffe://prod/*']), identity), undefined);
  });
}

const NO_SPIFFE_IDS: readonly (readonly string[])[] = [
  ['spiffe://prod/a', 'spiffe://prod/b'],
  ['spiffe://prod/a', 'spiffe://prod/a'],
  ['spiffe://prod/a', 'https://prod/a'],
  ['spiffe://PROD/a'],
  ['SPIFFE://prod/a'],
  ['spiffe://prod//a'],
  ['spiffe://prod/a/'],
  ['spiffe://prod/x/../a'],
  ['spiffe://prod/./a'],
  ['spiffe://prod/%61'],
  ['spiffe://prod:443/a'],
  ['spiffe://user@prod/a'],
  ['spiffe://prod/a?b'],
  ['spiffe://prod/a#b'],
];

for (const uris of NO_SPIFFE_IDS) {
  test(`only one valid SPIFFE ID as the only URI is an identity: ${uris.join(' ')}`, async () => {
    const identity = await identityOf([], ...uris.map(uri => element(URI, uri)));
    assert.equal(identity.spiffeId, undefined);
    assert.equal(matchIdentity(parsePatterns(['spiffe://prod/**', 'uri:spiffe://prod/a']), identity), undefined);
  });
}

test('IP names of other lengths than 4 and 16 bytes are left out, mapped ones are IPv4', async () => {
  const lengths = [0, 3, 5, 8, 15, 17, 32].map(length => element(IP, Buffer.alloc(length, 10)));
  const mapped = element(IP, Buffer.from('00000000000000000000ffff0a000001', 'hex'));
  assert.deepEqual((await identityOf([], ...lengths, mapped)).ipAddresses, ['10.0.0.1']);
});

test('names of other types are ignored', async () => {
  const identity = await identityOf([], element(0x81, 'admin@example'), element(0x88, Buffer.from([42])));
  assert.deepEqual([identity.dnsNames, identity.uris, identity.ipAddresses], [[], [], []]);
});

test('what is not strict DER is malformed, wherever it is cut or extended', async () => {
  const der = await certificate(utf8('node-1'), alternativeNames(element(DNS, 'node-1.example')));
  for (let length = 0; length < der.length; length++) assertMalformed(der.subarray(0, length));
  assertMalformed(Buffer.concat([der, Buffer.from([0])]));
  assertMalformed(Buffer.concat([der, der]));
  assertMalformed(Buffer.from('-----BEGIN CERTIFICATE-----'));
});

test('an extension that occurs twice is malformed', async () => {
  const extension = alternativeNames(element(DNS, 'a.example'));
  assertMalformed(await certificate([], extension, alternativeNames(element(DNS, 'b.example'))));
});

test('bytes after the list of alternative names are malformed', async () => {
  const list = Buffer.concat([element(0x30, element(DNS, 'a.example')), element(DNS, 'b.example')]);
  assertMalformed(await certificate([], new x509.Extension('2.5.29.17', false, list)));
});

test('a changed byte is read as another certificate or refused, never crashes', async () => {
  const der = await certificate(utf8('node-1'), alternativeNames(element(DNS, 'a.example'), element(URI, 'x://y/z')));
  for (let index = 0; index < der.length; index++) {
    for (const value of [0x00, 0x30, 0x80, 0xff]) {
      const changed = Uint8Array.from(der);
      changed[index] = value;
      try {
        readPeerIdentity(changed);
      } catch (error) {
        assert.ok(error instanceof SelvedgeError && error.code === 'certificate_malformed', String(error));
      }
    }
  }
});

function assertMalformed(der: Uint8Array): void {
  assert.throws(() => readPeerIdentity(der), { name: 'SelvedgeError', code: 'certificate_malformed' });
}
