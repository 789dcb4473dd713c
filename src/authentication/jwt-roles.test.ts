import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rolesOfClaims } from './jwt-roles.ts';

const MAPPING = { rolesClaim: 'roles', adminValues: ['fabric-admin', 'root'], observerValues: ['fabric-observer'] };

test('a role is given by its values, letter by letter, in a text or a list', () => {
  const cases: readonly (readonly [unknown, readonly string[]])[] = [
    [['fabric-admin'], ['admin']],
    [
      ['x', 'root', 'fabric-observer'],
      ['admin', 'observer'],
    ],
    ['fabric-observer', ['observer']],
    ['x fabric-admin', []],
    ['FABRIC-ADMIN', []],
    ['fabric-admin2', []],
    [{ 'fabric-admin': true }, []],
    [[['fabric-admin']], []],
    [true, []],
    [undefined, []],
  ];
  for (const [roles, expected] of cases) assert.deepEqual([...rolesOfClaims({ roles }, MAPPING)], expected);
});

test('of the claim scope the values stand in one text', () => {
  const mapping = { ...MAPPING, rolesClaim: 'scope' };
  assert.deepEqual([...rolesOfClaims({ scope: 'openid fabric-admin' }, mapping)], ['admin']);
  assert.deepEqual([...rolesOfClaims({ scope: 'openid fabric-administrator' }, mapping)], []);
});

test('a claim may be named by a JSON pointer, or be a name with dots and slashes', () => {
  const under = (rolesClaim: string, claims: Record<string, unknown>) => [
    ...rolesOfClaims(claims, { ...MAPPING, rolesClaim }),
  ];
  assert.deepEqual(under('/realm_access/roles', { realm_access: { roles: ['root'] } }), ['admin']);
  assert.deepEqual(under('/a~1b/c~0d', { 'a/b': { 'c~d': 'root' } }), ['admin']);
  assert.deepEqual(under('https://x.example/roles', { 'https://x.example/roles': ['root'] }), ['admin']);
  assert.deepEqual(under('/realm_access/roles', { realm_access: ['root'] }), []);
  assert.deepEqual(under('/roles/0', { roles: ['root'] }), []);
  assert.deepEqual(under('__proto__', {}), []);
  assert.deepEqual(under('/constructor/name', {}), []);
});
