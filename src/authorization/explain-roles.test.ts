import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import { parsePatterns } from '../identity/subject-name-pattern.ts';
import { rolesOf } from './admission.ts';
import { explainRoles } from './explain-roles.ts';

const lists = {
  peer: parsePatterns(['uri:spiffe://dev/fabric/*']),
  admin: parsePatterns(['uri:spiffe://dev/admin/*', 'dns:ops.example']),
  observer: [],
};

test('each list is told with the pattern that matched, else with what came nearest', () => {
  const uri = 'spiffe://dev/fabric/node-2';
  const identity = peerIdentity({ uris: [uri], spiffeId: uri });
  const [peer, admin, observer] = explainRoles(lists, identity);
  assert.deepEqual(peer, {
    role: 'peer',
    matched: { pattern: 'uri:spiffe://dev/fabric/*', kind: 'uri', value: uri },
    nearest: undefined,
  });
  assert.equal(admin?.matched, undefined);
  assert.deepEqual([admin?.nearest?.pattern, admin?.nearest?.value], ['uri:spiffe://dev/admin/*', uri]);
  assert.deepEqual(observer, { role: 'observer', matched: undefined, nearest: undefined });
});

test('the lists that match are the roles that are held', () => {
  for (const names of [
    { dnsNames: ['ops.example'] },
    { uris: ['spiffe://dev/fabric/a'], spiffeId: 'spiffe://dev/fabric/a', dnsNames: ['ops.example'] },
    { commonName: 'nobody' },
  ]) {
    const identity = peerIdentity(names);
    const held = explainRoles(lists, identity).flatMap(({ role, matched }) => (matched === undefined ? [] : [role]));
    assert.deepEqual(held, [...rolesOf(lists, identity)]);
  }
});
