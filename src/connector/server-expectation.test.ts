import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { parsePatterns } from '../identity/subject-name-pattern.ts';
import { type ServerExpectation, unexpectedServer } from './server-expectation.ts';

const HOST: ServerExpectation = { kind: 'host' };

test('host: the dialled host must be in the certificate', () => {
  const server = identity({ dnsNames: ['node-2.example', '*.wild.example'], ipAddresses: ['10.0.0.2', '2001:db8::1'] });
  for (const host of ['node-2.example', 'NODE-2.example', 'a.wild.example', '10.0.0.2', '2001:db8::1']) {
    assert.equal(unexpectedServer(HOST, server, host), undefined, host);
  }
  for (const host of ['node-3.example', 'a.b.wild.example', '10.0.0.3', '2001:db8::2']) {
    assert.match(unexpectedServer(HOST, server, host) ?? '', new RegExp(`CN=node-2 is not for ${host}$`));
  }
});

test('host: the common name does not count', () => {
  assert.ok(unexpectedServer(HOST, identity({ commonName: 'node-2.example' }), 'node-2.example') !== undefined);
});

test('names: one pattern must match, and the host does not matter', () => {
  const expectation: ServerExpectation = { kind: 'names', patterns: parsePatterns(['dns:a.example', 'cn:node-2']) };
  assert.equal(unexpectedServer(expectation, identity({ commonName: 'node-2' }), '10.9.9.9'), undefined);
  const why = unexpectedServer(expectation, identity({ commonName: 'node-3', dnsNames: ['b.example'] }), 'b.example');
  assert.match(why ?? '', /bears none of the expected names/);
});

test('names: an empty list expects nobody', () => {
  assert.ok(unexpectedServer({ kind: 'names', patterns: [] }, identity({ commonName: 'x' }), 'x') !== undefined);
});

function identity(names: Partial<PeerIdentity>): PeerIdentity {
  return peerIdentity({ subject: 'CN=node-2', ...names });
}
