import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { parsePatterns } from '../identity/subject-name-pattern.ts';
import { type RoleLists, rolesOf } from './admission.ts';

const LISTS: RoleLists = {
  peer: parsePatterns(['uri:spiffe://dev/fabric/*']),
  admin: parsePatterns(['uri:spiffe://dev/admin/*', 'cn:both']),
  observer: parsePatterns(['cn:both', 'cn:watcher']),
};

test('a role comes from its own list alone', () => {
  assert.deepEqual(rolesFor({ uris: ['spiffe://dev/fabric/node-1'], spiffeId: 'spiffe://dev/fabric/node-1' }), [
    'peer',
  ]);
  assert.deepEqual(rolesFor({ uris: ['spiffe://dev/admin/ann'], spiffeId: 'spiffe://dev/admin/ann' }), ['admin']);
  assert.deepEqual(rolesFor({ commonName: 'watcher' }), ['observer']);
});

test('an identity in several lists holds all of their roles', () => {
  assert.deepEqual(rolesFor({ commonName: 'both' }), ['admin', 'observer']);
});

test('an identity in no list holds no role, and neither does one whose list is empty', () => {
  assert.deepEqual(rolesFor({ commonName: 'stranger' }), []);
  assert.equal(rolesOf({ peer: [], admin: [], observer: [] }, peerIdentity({ commonName: 'x' })).size, 0);
});

test('who shows no certificate is anonymous and nothing else, whatever the lists say', () => {
  const everybody = parsePatterns(['*']);
  assert.deepEqual([...rolesOf({ peer: everybody, admin: everybody, observer: everybody }, undefined)], ['anonymous']);
});

test('no certificate can make its holder local or anonymous', () => {
  const everybody = parsePatterns(['*']);
  const lists = { peer: everybody, admin: everybody, observer: everybody };
  assert.deepEqual([...rolesOf(lists, peerIdentity({ commonName: 'local' }))], ['peer', 'admin', 'observer']);
});

function rolesFor(names: Partial<PeerIdentity>): readonly string[] {
  return [...rolesOf(LISTS, peerIdentity(names))];
}
