import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import type { ExplainRequest } from '../rpc/explain-messages.ts';
import { parseExplainRequest } from './explain-question.ts';

const CALL = { method: '', headers: [] };

test('a question names one subject, a method in either spelling, and headers that repeat', () => {
  const headers = [
    { key: 'Plan', value: 'gold' },
    { key: 'plan', value: 'silver' },
  ];
  const { subject, call } = parseExplainRequest({ nodeName: 'node-2', method: 'a.B/C', headers });
  assert.deepEqual(subject, { kind: 'node', name: 'node-2' });
  assert.equal(call.method, '/a.B/C');
  assert.deepEqual(call.headers.get('plan'), ['gold', 'silver']);
  assert.equal(parseExplainRequest({ connectionId: 7, ...CALL }).call.method, undefined);
  assert.equal(parseExplainRequest({ connectionId: 7, ...CALL, method: '/a.B/C' }).call.method, '/a.B/C');
  const certificate = new Uint8Array(65_536);
  assert.deepEqual(parseExplainRequest({ certificate, ...CALL }).subject, {
    kind: 'certificate',
    content: certificate,
  });
});

test('a fingerprint is taken as tools write it', () => {
  const digits = 'ab'.repeat(32);
  for (const fingerprintSha256 of [digits, `sha256:${digits}`, `${'AB:'.repeat(31)}AB`])
    assert.deepEqual(parseExplainRequest({ fingerprintSha256, ...CALL }).subject, {
      kind: 'fingerprint',
      fingerprint256: digits,
    });
  assert.deepEqual(parseExplainRequest({ refused: true, ...CALL }).subject, { kind: 'refused' });
  assert.deepEqual(parseExplainRequest({ tokenName: 'ann', ...CALL }).subject, { kind: 'token', name: 'ann' });
});

const wrong: readonly (readonly [string, ExplainRequest])[] = [
  ['no subject', CALL],
  ['a fingerprint that is none', { fingerprintSha256: 'ab', ...CALL }],
  ['a token in place of its name', { tokenName: 'selvedge_abc', ...CALL }],
  ['nobody refused', { refused: false, ...CALL }],
  ['an empty certificate', { certificate: new Uint8Array(), ...CALL }],
  ['a certificate that is too long', { certificate: new Uint8Array(65_537), ...CALL }],
  ['a method without a service', { connectionId: 1, ...CALL, method: 'Drain' }],
  ['a method that is too long', { connectionId: 1, ...CALL, method: `/a.B/${'c'.repeat(600)}` }],
  ['a header that is none', { connectionId: 1, method: '', headers: [{ key: 'a b', value: '' }] }],
  ['a binary header', { connectionId: 1, method: '', headers: [{ key: 'a-bin', value: 'x' }] }],
  ['too many headers', { connectionId: 1, method: '', headers: Array(65).fill({ key: 'a', value: '' }) }],
  ['headers that are too long', { connectionId: 1, method: '', headers: [{ key: 'a', value: 'x'.repeat(16_384) }] }],
];
for (const [name, request] of wrong) {
  test(`${name} is a wrong question`, () => {
    assert.throws(
      () => parseExplainRequest(request),
      error => isSelvedgeError(error, 'usage'),
    );
  });
}

test('a name that no node can have is not looked for', () => {
  assert.throws(
    () => parseExplainRequest({ nodeName: 'Node 2', ...CALL }),
    error => isSelvedgeError(error, 'node_name_invalid'),
  );
});
