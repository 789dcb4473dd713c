import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APPLICATION_ROW, documentedMethods, type MethodColumn } from '../../test/architecture/documented-tables.ts';
import { type Caller, ROLES, type Role } from '../rpc/caller.ts';
import { packageDefinition } from '../rpc/service.ts';
import { BUILT_IN_RULES, decideByRole, seesTopology } from './method-rules.ts';

const METHODS = documentedMethods();
/** Of applications, and one that only looks like ours. */
const APPLICATION = [
  'acme.shop.v1.Orders/Place',
  'Unqualified/Method',
  'selvedgeish.v1.Service/Method',
  'selvedge.message/cache.invalidate',
];
const CHANGING = '/selvedge.control.v1.NodeControl/Drain';

const COLUMN_OF: Readonly<Record<Exclude<Role, 'anonymous'>, MethodColumn>> = {
  peer: 'peer',
  admin: 'admin',
  observer: 'observer',
  local: 'local',
};

for (const [row, words] of METHODS) {
  for (const method of row === APPLICATION_ROW ? APPLICATION : [row]) {
    test(`${method} is open to exactly the roles that docs/security.md says, in every mode`, () => {
      const may = (role: Role, strict: boolean) => mayCall({ roles: new Set([role]) }, `/${method}`, strict);
      for (const [role, column] of Object.entries(COLUMN_OF) as [keyof typeof COLUMN_OF, MethodColumn][])
        for (const strict of [true, false]) assert.equal(may(role, strict), words[column] !== '-', role);
      assert.equal(may('anonymous', false), words.plaintext !== '-');
      assert.equal(words.tls !== '-', words.plaintext !== '-', 'anonymous is one role');
      assert.equal(may('anonymous', true), words.tls !== '-' && words.tls !== 'not strict');
    });
  }
}

test('docs/security.md says full and redacted of exactly the methods whose answer can be redacted, by who sees topology', () => {
  for (const [method, words] of METHODS) {
    const redacting = answersOf(method)?.some(field => field === 'addressesRedacted') ?? false;
    for (const [column, word] of Object.entries(words)) {
      const sees = column !== 'plaintext' && column !== 'tls' && seesTopology({ roles: new Set([column as Role]) });
      if (word !== '-') assert.equal(word === 'full' || word === 'redacted', redacting, `${method} to ${column}`);
      if (redacting && word !== '-') assert.equal(word, sees ? 'full' : 'redacted', `${method} to ${column}`);
    }
  }
});

test('every method of our proto files stands in docs/security.md and has a rule of its own', () => {
  const methods = ownMethods();
  assert.ok(methods.length >= 10);
  for (const method of methods) {
    const name = method.slice(1);
    assert.ok(METHODS.has(name), `${name} has no row in the table of methods of docs/security.md`);
    const service = name.slice(0, name.indexOf('/'));
    assert.ok(BUILT_IN_RULES.has(name) || BUILT_IN_RULES.has(service), `${method} has no rule`);
  }
});

test('every rule has its rows', () => {
  for (const rule of BUILT_IN_RULES.keys())
    assert.ok(
      [...METHODS.keys()].some(method => method === rule || method.startsWith(`${rule}/`)),
      `${rule} has no row in the table of methods of docs/security.md`,
    );
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
  assert.equal(mayCall({ roles: new Set<Role>(['peer', 'observer']) }, CHANGING, false), false);
});

test('no role may call nothing', () => {
  for (const method of METHODS.keys()) assert.equal(mayCall({ roles: new Set() }, `/${method}`, false), false);
});

test('a decision names the group of the table, whichever way it went', () => {
  const asked = { roles: new Set<Role>(['observer']) };
  const decisionOn = (method: string) => decideByRole(asked, method, true);
  assert.deepEqual(decisionOn(CHANGING), { allowed: false, policy: 'built-in', rule: 'changing' });
  assert.deepEqual(decisionOn('/selvedge.control.v1.NodeControl/GetStatus'), {
    allowed: true,
    policy: 'built-in',
    rule: 'reading',
  });
  assert.deepEqual(decisionOn('/grpc.health.v1.Health/Check'), { allowed: true, policy: 'built-in', rule: 'public' });
  assert.deepEqual(decisionOn('/selvedge.fabric.v1.Fabric/Connect'), {
    allowed: false,
    policy: 'built-in',
    rule: 'fabric',
  });
  assert.deepEqual(decisionOn('/acme.Shop/Buy'), { allowed: false, policy: 'built-in', rule: 'application' });
});

test('addresses are shown to admin, observer and local alone', () => {
  assert.deepEqual(
    ROLES.filter(role => seesTopology({ roles: new Set([role]) })),
    ['admin', 'observer', 'local'],
  );
  assert.equal(seesTopology({ roles: new Set<Role>(['peer', 'observer']) }), true);
});

/** The fields of the answer of a method of ours. */
function answersOf(method: string): readonly string[] | undefined {
  const [service = '', name = ''] = method.split('/');
  const definition = packageDefinition[service];
  if (definition === undefined || 'format' in definition) return undefined;
  const type: unknown = definition[name]?.responseType;
  const fields = (type as { readonly type?: { readonly field?: readonly { readonly name: string }[] } }).type?.field;
  return fields?.map(field => field.name);
}

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
