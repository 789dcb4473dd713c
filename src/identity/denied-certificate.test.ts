import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { denialOf, deniedBy, parseDeniedCertificate } from './denied-certificate.ts';
import type { PeerIdentity } from './peer-identity.ts';

const FINGERPRINT = 'ab'.repeat(32);
const LEAKED = peerIdentity({
  commonName: 'node-2',
  uris: ['spiffe://dev/fabric/node-2'],
  spiffeId: 'spiffe://dev/fabric/node-2',
  fingerprint256: FINGERPRINT,
  serialNumber: '0A1B',
});

test('a certificate is denied by its fingerprint, its serial number or a name, however they are written', () => {
  for (const text of [
    `sha256:${FINGERPRINT}`,
    `SHA256:${FINGERPRINT.toUpperCase()}`,
    `sha256:${'AB:'.repeat(31)}AB`,
    'serial:0A1B',
    'serial:a1b',
    'serial:00:0a:1b',
    'uri:spiffe://dev/fabric/*',
    'cn:node-2',
    'node-2',
  ]) {
    const entry = parseDeniedCertificate(text);
    assert.equal(
      deniedBy([entry], peerIdentity({ ...LEAKED, serialNumber: LEAKED.serialNumber.toLowerCase() })),
      entry,
      text,
    );
    assert.equal(entry.text, text);
  }
});

test('a pattern denies by any name of its kind, also where that name would admit nobody', () => {
  const [id, other] = ['spiffe://dev/fabric/node-2', 'spiffe://dev/fabric/other'];
  const cases: readonly (readonly [entry: string, names: Partial<PeerIdentity>, isDenied: boolean])[] = [
    [`uri:${id}`, { uris: [other, id] }, true],
    [`uri:${id}`, { uris: [id, 'http://x/'] }, true],
    [`uri:${id}`, { uris: [other] }, false],
    ['cn:node-2', { commonNames: ['other', 'node-2'] }, true],
    ['cn:node-2', { commonNames: ['NODE-2'] }, true],
    ['cn:Node-*', { commonNames: ['nODE-2'] }, true],
    ['node-2', { commonNames: ['Node-2'] }, true],
    ['cn:node-2', { commonNames: ['other', 'node-22'] }, false],
    ['dns:evil.dev', { dnsNames: ['good.dev', 'EVIL.dev.'] }, true],
    ['dns:evil.dev', { dnsNames: ['*.dev'] }, true],
    ['evil.dev', { dnsNames: ['*.dev'] }, true],
    ['dns:evil-*.dev', { dnsNames: ['*.dev'] }, true],
    ['dns:**.dev', { dnsNames: ['*.dev'] }, true],
    ['dns:evil.dev', { dnsNames: ['*.evil.dev', '*.other', 'x.*.dev'] }, false],
    ['dns:**.evil.dev', { dnsNames: ['*.dev'] }, false],
    ['ip:10.0.0.0/8', { ipAddresses: ['192.0.2.1', '10.1.2.3'] }, true],
    ['ip:10.0.0.0/8', { ipAddresses: ['192.0.2.1'], dnsNames: ['10.example'] }, false],
  ];
  for (const [entry, names, isDenied] of cases)
    assert.equal(
      deniedBy([parseDeniedCertificate(entry)], peerIdentity(names)) !== undefined,
      isDenied,
      `${entry} against ${JSON.stringify(names)}`,
    );
});

test('a fingerprint or a serial number of a CA on the way to an anchor denies whom it vouches for; its names do not', () => {
  const vouchedBy = [{ fingerprint256: 'cd'.repeat(32), serialNumber: '00ff' }];
  const vouched = { ...LEAKED, vouchedBy };
  for (const [entry, isDenied] of [
    [`sha256:${'CD'.repeat(32)}`, true],
    ['serial:ff', true],
    ['serial:ff00', false],
  ] as const)
    assert.equal(deniedBy([parseDeniedCertificate(entry)], vouched) !== undefined, isDenied, entry);
  assert.equal(deniedBy([parseDeniedCertificate('serial:ff')], LEAKED), undefined);
});

test('one that shares no mark with the list is not denied, nor is one that showed no certificate', () => {
  const texts = [
    `sha256:${'ac'.repeat(32)}`,
    'serial:0a1b00',
    'serial:1b',
    'uri:spiffe://dev/fabric/node-3',
    'cn:node',
  ];
  const entries = texts.map(parseDeniedCertificate);
  assert.equal(deniedBy(entries, LEAKED), undefined);
  assert.equal(deniedBy([parseDeniedCertificate('serial:0a1b')], undefined), undefined);
  assert.equal(denialOf(entries, LEAKED), undefined);
});

test('the first entry that denies is the one that is told', () => {
  const entries = ['serial:ff', 'cn:node-2', 'serial:0a1b'].map(parseDeniedCertificate);
  assert.deepEqual(denialOf(entries, LEAKED), {
    reason: 'certificate_revoked',
    detail: 'denied-certificates lists cn:node-2',
  });
});

test('an entry that could never deny anybody, or would deny everybody, is an error that quotes it', () => {
  const cases: Record<string, RegExp> = {
    'sha256:': /no hexadecimal digits/,
    'sha256:xyz': /no hexadecimal digits/,
    [`sha256:${FINGERPRINT}00`]: /64 digits/,
    'sha256:abcd': /64 digits/,
    [`sha256:-${FINGERPRINT.slice(1)}`]: /64 digits/,
    'serial:': /no hexadecimal digits/,
    'serial:0x1f': /no hexadecimal digits/,
    'serial:12 34': /no hexadecimal digits/,
    [FINGERPRINT]: /"sha256:" and the digits/,
    [FINGERPRINT.toUpperCase().replace(/..(?=.)/g, '$&:')]: /"sha256:" and the digits/,
    '*': /deny everybody/,
    ' * ': /./,
    '': /./,
    'foo:bar': /./,
  };
  for (const [text, problem] of Object.entries(cases))
    assert.throws(
      () => parseDeniedCertificate(text),
      error => isSelvedgeError(error, 'pattern_invalid') && problem.test(error.message),
      JSON.stringify(text),
    );
});
