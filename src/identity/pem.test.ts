import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitPem, toPem } from './pem.ts';

const der = Uint8Array.from({ length: 100 }, (_, i) => i);
const pem = toPem('CERTIFICATE', der);

test('what toPem writes splitPem reads, joined, indented, with other line ends, and with text between', () => {
  const key = toPem('PRIVATE KEY', der.subarray(0, 47));
  for (const text of [
    pem + key,
    `subject=CN = x\n${pem}\n\n# the key\n${key}end`,
    (pem + key).replaceAll('\n', '\r\n'),
    `\ufeff${pem}${key.replaceAll('\n', '  \n  ')}`,
  ]) {
    const blocks = splitPem(text);
    assert.deepEqual(
      blocks.map(block => block.label),
      ['CERTIFICATE', 'PRIVATE KEY'],
    );
    assert.deepEqual(
      blocks.map(block => [...block.der]),
      [[...der], [...der.subarray(0, 47)]],
    );
  }
});

test('a PEM block ends in a newline and has lines of at most 64 characters', () => {
  assert.ok(pem.endsWith('-----END CERTIFICATE-----\n'));
  assert.ok(pem.split('\n').every(line => line.length <= 64));
});

test('a text without a block holds none', () => {
  assert.deepEqual(splitPem(''), []);
  assert.deepEqual(splitPem('nothing here\n'), []);
});

const body = Buffer.from(der).toString('base64');

for (const [what, text] of [
  ['no end', `-----BEGIN CERTIFICATE-----\n${body}\n`],
  ['no begin', `${body}\n-----END CERTIFICATE-----\n`],
  ['another end', `-----BEGIN CERTIFICATE-----\n${body}\n-----END PRIVATE KEY-----\n`],
  ['a block inside', `-----BEGIN CERTIFICATE-----\n${pem}`],
  ['nothing inside', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
  ['a bad character', pem.replace('A', '*')],
  ['a missing character', pem.replace('A', '')],
  ['padding in the middle', `-----BEGIN X-----\nAA==\nAAAA\n-----END X-----\n`],
  ['bits after the end', `-----BEGIN X-----\nAB==\n-----END X-----\n`],
  ['headers', `-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n${body}\n-----END RSA PRIVATE KEY-----\n`],
  ['a damaged begin line', `-----BEGIN CERTIFICATE----\n${body}\n-----END CERTIFICATE-----\n`],
  ['blocks joined without a newline', pem.trimEnd() + pem],
] as const) {
  test(`a damaged block is malformed: ${what}`, () => {
    assert.throws(() => splitPem(text), { code: 'certificate_malformed' });
    assert.throws(() => splitPem(pem + text), { code: 'certificate_malformed' });
  });
}

test('a block of ten thousand lines is read whole', () => {
  const long = Uint8Array.from({ length: 480_000 }, (_, i) => (i * 31) % 251);
  const [block] = splitPem(toPem('X509 CRL', long));
  assert.ok(block !== undefined && Buffer.compare(block.der, long) === 0);
});
