import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import { tlsSettings } from '../../test/kit/tls-settings.ts';
import { parsePatterns } from '../identity/subject-name-pattern.ts';
import { lostOwnNames } from './own-names.ts';

const holder = (name: string, uri: string) => peerIdentity({ subject: `CN=${name}`, uris: [uri], spiffeId: uri });
const NODE_1 = holder('node-1', 'spiffe://dev/fabric/node-1');
const NODE_2 = holder('node-2', 'spiffe://dev/fabric/node-2');
const WEB = holder('web', 'spiffe://dev/web');
const BOTH = ['server', 'client'] as const;
const LISTED = tlsSettings({ allowedSubjectNames: parsePatterns(['uri:spiffe://dev/fabric/*']) });
const BOUND = tlsSettings({
  allowedSubjectNames: parsePatterns(['*']),
  nodeIdentity: 'uri:spiffe://dev/fabric/{node-name}',
});

test('a certificate that our own list no longer admits is a loss, where it is used to dial', () => {
  const change = { candidate: WEB, current: NODE_1 };
  const [problem, ...more] = lostOwnNames('node-1', LISTED, change, BOTH);
  assert.match(
    problem ?? '',
    /^networking\.tls\.allowed-subject-names does not match .*\(CN=web\), which bears (?:cn:[^,]+, )?(?:dns:[^,]+, )?uri:spiffe:\/\/dev\/web: nodes/,
  );
  assert.deepEqual(more, []);
  assert.deepEqual(lostOwnNames('node-1', LISTED, change, ['server']), []);
  assert.equal(lostOwnNames('node-1', LISTED, change, ['client']).length, 1);
});

test('a certificate that no longer proves our name is a loss, said once', () => {
  const problems = lostOwnNames('node-1', BOUND, { candidate: NODE_2, current: NODE_1 }, BOTH);
  assert.equal(problems.length, 1);
  assert.match(
    problems[0] ?? '',
    /node-identity asks this node to prove uri:spiffe:\/\/dev\/fabric\/node-1, which its server certificate, which bears .*uri:spiffe:\/\/dev\/fabric\/node-2, does not: nodes with the same node-identity/,
  );
});

test('what the certificate in use does not have cannot be lost', () => {
  assert.deepEqual(lostOwnNames('node-1', LISTED, { candidate: WEB, current: WEB }, BOTH), []);
  assert.deepEqual(lostOwnNames('node-1', BOUND, { candidate: NODE_2, current: WEB }, BOTH), []);
  const both = tlsSettings({ ...LISTED, nodeIdentity: BOUND.nodeIdentity });
  assert.equal(lostOwnNames('node-1', both, { candidate: WEB, current: NODE_2 }, BOTH).length, 1);
});

test('a certificate that keeps its names loses nothing', () => {
  assert.deepEqual(lostOwnNames('node-1', LISTED, { candidate: NODE_2, current: NODE_1 }, BOTH), []);
  assert.deepEqual(lostOwnNames('node-1', BOUND, { candidate: NODE_1, current: NODE_2 }, BOTH), []);
});

test('where anybody may connect without a certificate and nobody is listed, names do not count', () => {
  const open = tlsSettings({ requireClientAuth: false, allowedSubjectNames: [] });
  assert.deepEqual(lostOwnNames('node-1', open, { candidate: WEB, current: NODE_1 }, BOTH), []);
});
