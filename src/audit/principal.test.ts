import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerWith } from '../../test/kit/call-as.ts';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import { callerPrincipal, principalOf, refusedPrincipal } from './principal.ts';

const URI = 'spiffe://dev/fabric/node-1';

test('the first kind of name that a certificate has is its principal: URI, DNS, subject', () => {
  const names = { dnsNames: ['a.example', 'b.example'], subject: 'CN=a' };
  assert.equal(principalOf(peerIdentity({ ...names, uris: [URI], spiffeId: URI })), URI);
  assert.equal(principalOf(peerIdentity({ ...names, uris: ['https://a.example/x'] })), 'https://a.example/x');
  assert.equal(principalOf(peerIdentity(names)), 'a.example');
  assert.equal(principalOf(peerIdentity({ subject: 'CN=a' })), 'CN=a');
  assert.equal(principalOf(undefined), '');
});

test('a spiffe name is none where the certificate is no valid SPIFFE identity', () => {
  const two = { uris: ['SPIFFE://dev/admin/ann', 'spiffe://dev/admin/bob'], dnsNames: ['a.example'] };
  assert.equal(principalOf(peerIdentity(two)), 'a.example');
});

test('a bearer token stands before the certificate of the connection that it came over', () => {
  const caller = { ...callerWith('peer', 'admin'), identity: peerIdentity({ uris: [URI], spiffeId: URI }) };
  assert.equal(callerPrincipal(caller), URI);
  assert.equal(callerPrincipal({ ...caller, bearer: { kind: 'token', name: 'ci' } }), 'token:ci');
  assert.equal(callerPrincipal({ ...caller, bearer: { kind: 'jwt', name: 'ann\n' } }), 'jwt:ann\\u000a');
});

test('a certificate that nobody vouches for names nobody', () => {
  const identity = peerIdentity({ uris: [URI], spiffeId: URI });
  assert.equal(refusedPrincipal('unknown_ca', identity), '');
  assert.equal(refusedPrincipal('malformed_certificate', identity), '');
  assert.equal(refusedPrincipal('subject_not_allowed', identity), URI);
});

test('a long name is cut', () => {
  assert.ok(principalOf(peerIdentity({ dnsNames: ['a'.repeat(10_000)] })).length < 600);
});
