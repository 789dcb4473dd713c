import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerWith } from '../../test/kit/call-as.ts';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import { callerPrincipal, refusedPrincipal } from './audit-principal.ts';

const URI = 'spiffe://dev/fabric/node-1';
const IDENTITY = peerIdentity({ uris: [URI], spiffeId: URI });

test('a bearer token stands before the certificate of the connection that it came over', () => {
  const caller = { ...callerWith('peer', 'admin'), identity: IDENTITY };
  assert.equal(callerPrincipal(caller), URI);
  assert.equal(callerPrincipal({ ...caller, bearer: { roles: new Set(), kind: 'token', name: 'ci' } }), 'token:ci');
  assert.equal(
    callerPrincipal({ ...caller, bearer: { roles: new Set(), kind: 'jwt', name: 'ann\n' } }),
    'jwt:ann\\u000a',
  );
  assert.equal(callerPrincipal(callerWith('local')), 'role:local');
});

test('a certificate that nobody vouches for names nobody', () => {
  assert.equal(refusedPrincipal('unknown_ca', IDENTITY), '');
  assert.equal(refusedPrincipal('malformed_certificate', IDENTITY), '');
  assert.equal(refusedPrincipal('no_certificate', undefined), '');
  assert.equal(refusedPrincipal('subject_not_allowed', IDENTITY), URI);
});

test('a SPIFFE name beside another is no name: the record has the fingerprint instead', () => {
  const two = peerIdentity({ uris: ['spiffe://dev/admin/ann', 'spiffe://dev/admin/bob'], dnsNames: ['a.example'] });
  assert.equal(refusedPrincipal('subject_not_allowed', two), `sha256:${'0'.repeat(64)}`);
});

test('a long name is cut', () => {
  assert.ok(refusedPrincipal('certificate_expired', peerIdentity({ dnsNames: ['a'.repeat(10_000)] })).length < 600);
});
