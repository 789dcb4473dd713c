import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Caller, ROLES, type Role } from '../rpc/caller.ts';
import { packageDefinition } from '../rpc/service.ts';
import { BUILT_IN_RULES, decideByRole, seesTopology } from './method-rules.ts';

/** What the contract says under Roles, one line a kind of method. */
const READING = [
  '/selvedge.control.v1.NodeControl/GetStatus',
  '/selvedge.control.v1.NodeControl/ListConnections',
  '/selvedge.control.v1.NodeControl/GetTlsState',
  '/selvedge.control.v1.NodeControl/GetCaState',
  '/selvedge.control.v1.NodeControl/CheckMode',
  '/selvedge.control.v1.ClusterControl/GetClusterStatus',
  '/selvedge.control.v1.ClusterControl/ListNodes',
  '/selvedge.control.v1.ClusterControl/GetCaStatus',
  '/selvedge.control.v1.ClusterControl/Preflight',
];
const PRIVATE_READING = ['/selvedge.control.v1.NodeControl/GetShadowReport'];
const CHANGING = ['/selvedge.control.v1.NodeControl/ReloadTls', '/selvedge.control.v1.NodeControl/Drain'];
const HEALTH = ['/grpc.health.v1.Health/Check', '/grpc.health.v1.Health/Watch'];
const REFLECTION = [
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
];
const FABRIC = ['/selvedge.fabric.v1.Fabric/Connect'];
const APPLICATION = ['/acme.shop.v1.Orders/Place', '/Unqualified/Method', '/selvedgeish.v1.Service/Method'];

type Row = { readonly [R in Role]: boolean };
const EVERYBODY: Row = { peer: true, admin: true, observer: true, anonymous: true, local: true };
const OPERATORS: Row = { peer: false, admin: true, observer: true, anonymous: false, local: true };
const ADMINS: Row = { peer: false, admin: true, observer: false, anonymous: false, local: true };
const PEERS: Row = { peer: true, admin: false, observer: false, anonymous: true, local: false };

const TABLE: readonly { methods: readonly string[]; relaxed: Row; strict: Row }[] = [
  { methods: [...HEALTH, ...REFLECTION, ...READING], relaxed: EVERYBODY, strict: EVERYBODY },
  { methods: PRIVATE_READING, relaxed: OPERATORS, strict: OPERATORS },
  { methods: CHANGING, relaxed: ADMINS, strict: ADMINS },
  { methods: [...FABRIC, ...APPLICATION], relaxed: PEERS, strict: { ...PEERS, anonymous: false } },
];

for (const { methods, relaxed, strict } of TABLE) {
  for (const method of methods) {
    test(`${method} is open to exactly the roles of the table, in every mode`, () => {
      for (const role of ROLES) {
        assert.equal(mayCall({ roles: new Set([role]) }, method, false), relaxed[role], `${role}, not strict`);
        assert.equal(mayCall({ roles: new Set([role]) }, method, true), strict[role], `${role}, strict`);
      }
    });
  }
}

test('every method of our proto files is in the table above and has a rule of its own', () => {
  const methods = ownMethods();
  assert.ok(methods.length >= 10);
  const listed = TABLE.flatMap(row => row.methods);
  for (const method of methods) {
    assert.ok(listed.includes(method), `${method} is missing in the table of this test`);
    const name = method.slice(1);
    const service = name.slice(0, name.indexOf('/'));
    assert.ok(BUILT_IN_RULES.has(name) || BUILT_IN_RULES.has(service), `${method} has no rule`);
  }
});

test('no rule is for a method of ours that does not exist', () => {
  const known = ownMethods().flatMap(method => [method.slice(1), method.slice(1, method.indexOf('/', 1))]);
  for (const name of BUILT_IN_RULES.keys()) {
    if (name.startsWith('selvedge.')) assert.ok(known.includes(name), `${name} has a rule and is not there`);
  }
});

test('a method of ours without a rule is closed to everybody but admin and local', () => {
  for (const method of ['/selvedge.control.v1.NodeControl/Forgotten', '/selvedge.new.v1.Service/Method']) {
    const allowed = ROLES.filter(role => mayCall({ roles: new Set([role]) }, method, false));
    assert.deepEqual(allowed, ['admin', 'local']);
  }
});

test('one role of several that may is enough, and roles never take anything away', () => {
  assert.equal(
    mayCall({ roles: new Set<Role>(['observer', 'peer']) }, '/selvedge.fabric.v1.Fabric/Connect', true),
    true,
  );
  assert.equal(mayCall({ roles: new Set<Role>(['anonymous', 'peer']) }, '/acme.Shop/Buy', true), true);
  assert.equal(mayCall({ roles: new Set<Role>(['peer', 'observer']) }, CHANGING[0] ?? '', false), false);
});

test('no role may call nothing', () => {
  for (const { methods } of TABLE) {
    for (const method of methods) assert.equal(mayCall({ roles: new Set() }, method, false), false);
  }
});

test('a decision names the group of the table, whichever way it went', () => {
  const asked = { roles: new Set<Role>(['observer']) };
  const decisionOn = (method: string) => decideByRole(asked, method, true);
  assert.deepEqual(decisionOn(CHANGING[0] ?? ''), { allowed: false, policy: 'built-in', rule: 'changing' });
  assert.deepEqual(decisionOn(READING[0] ?? ''), { allowed: true, policy: 'built-in', rule: 'reading' });
  assert.deepEqual(decisionOn(HEALTH[0] ?? ''), { allowed: true, policy: 'built-in', rule: 'public' });
  assert.deepEqual(decisionOn(FABRIC[0] ?? ''), { allowed: false, policy: 'built-in', rule: 'fabric' });
  assert.deepEqual(decisionOn('/acme.Shop/Buy'), { allowed: false, policy: 'built-in', rule: 'application' });
});

test('addresses are shown to admin, observer and local alone', () => {
  assert.deepEqual(
    ROLES.filter(role => seesTopology({ roles: new Set([role]) })),
    ['admin', 'observer', 'local'],
  );
  assert.equal(seesTopology({ roles: new Set<Role>(['peer', 'observer']) }), true);
});

function ownMethods(): readonly string[] {
  return Object.entries(packageDefinition).flatMap(([name, definition]) =>
    name.startsWith('selvedge.') && !('format' in definition)
      ? Object.values(definition).map(method => method.path)
      : [],
  );
}

function mayCall(caller: Pick<Caller, 'roles'>, method: string, strict: boolean): boolean {
  return decideByRole(caller, method, strict).allowed;
}
