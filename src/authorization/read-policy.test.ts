import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPolicy } from './read-policy.ts';

const METHODS = [
  '/acme.shop.v1.Orders/Place',
  '/acme.shop.v1.Orders/Cancel',
  '/acme.shop.v1.Stock/Count',
  '/selvedge.control.v1.NodeControl/Drain',
  '/selvedge.control.v1.NodeControl/ReloadTls',
  '/grpc.health.v1.Health/Check',
];

const problemsOf = (text: string): readonly string[] => {
  const reading = readPolicy(text, 'policy.json', METHODS);
  if ('policy' in reading) return [];
  return reading.problems.map(({ place, key, problem, remedy }) => [place, key, problem, remedy].join('|'));
};

/** Of a policy that is good but for these allow rules. */
const inRules = (...rules: readonly object[]): readonly string[] =>
  problemsOf(JSON.stringify({ name: 'p', allow_rules: rules }));

test('a policy is read as it is written', () => {
  const reading = readPolicy(
    `{"name": "shop", "deny_rules": [{"name": "none", "request": {"paths": ["*/Cancel"]}}],
      "allow_rules": [{"name": "all", "source": {"principals": ["spiffe://a/*", "role:peer"]},
        "request": {"headers": [{"key": "X-Env", "values": ["prod"]}]}}],
      "audit_logging_options": {"audit_condition": "ON_ALLOW",
        "audit_logger": [{"name": "stdout_logger", "config": {"depth": -1.5e3, "on": null}, "is_optional": true}]}}`,
    'policy.json',
    METHODS,
  );
  assert.ok('policy' in reading);
  const { name, denyRules, allowRules, auditsAllowed } = reading.policy;
  assert.deepEqual([name, auditsAllowed], ['shop', true]);
  assert.deepEqual(
    denyRules.map(rule => [rule.name, rule.paths.map(path => [path.kind, path.text])]),
    [['none', [['suffix', '*/Cancel']]]],
  );
  assert.deepEqual(
    allowRules.map(rule => [rule.principals.map(({ kind }) => kind), rule.headers.map(({ key }) => key)]),
    [[['certificate', 'role'], ['x-env']]],
  );
});

test('every mistake is told at once, each with its place', () => {
  const text = `{
  "name": "",
  "deny_rules": [
    {"name": "twice", "source": {"principals": ["role:pear", 7]}},
    {"name": "twice", "request": {"path": ["/acme.shop.v1.Orders/Place"]}}
  ],
  "allow_rule": []
}`;
  assert.deepEqual(problemsOf(text), [
    'policy.json:1:1|allow_rules|This is missing.|An empty list allows no service of the application to anybody.',
    'policy.json:2:11|name|This is empty.|',
    'policy.json:4:49|deny_rules[0].source.principals[0]|"pear" is no role. Roles are peer, admin, observer, anonymous, local; the nearest is peer.|',
    'policy.json:4:62|deny_rules[0].source.principals[1]|This is a number, and must be a text.|',
    'policy.json:5:5|deny_rules[1].name|deny_rules[0] is called "twice" too.|Decisions name their rule.',
    'policy.json:5:35|deny_rules[1].request.path|There is no field "path" here.|Fields are paths, headers; the nearest is paths.',
    'policy.json:7:3|allow_rule|There is no field "allow_rule" here.|Fields are name, deny_rules, allow_rules, audit_logging_options; the nearest is allow_rules.',
  ]);
});

test('a key that stands there twice is never guessed about', () => {
  assert.deepEqual(problemsOf('{"name": "p", "allow_rules": [], "deny_rules": [], "deny_rules": []}'), [
    'policy.json:1:52|deny_rules|This stands here a second time.|Keep one: which one counts is not guessed.',
  ]);
});

test('what is not JSON is told with its place and not repeated', () => {
  const place = (text: string): string => problemsOf(text).join(' ');
  assert.match(
    place('{"name": "p",\n "allow_rules": [}'),
    /^policy\.json:2:18\|\|This is not JSON: A value is expected/,
  );
  assert.match(place('{"name": "p" "x": 1}'), /^policy\.json:1:14\|\|This is not JSON: A comma or "}"/);
  assert.match(place('{"name": "p"'), /^policy\.json:1:13\|/);
  assert.match(place('{} {}'), /^policy\.json:1:4\|.*after its end/);
  assert.match(place('[01]'), /^policy\.json:1:3\|/);
  assert.match(place('{"a": "line\nfeed"}'), /^policy\.json:1:7\|.*The string that begins here/);
  assert.match(place(`${'['.repeat(100)}`), /nested/);
  assert.ok(!place('-----BEGIN PRIVATE KEY-----\nMIIE').includes('MIIE'));
});

test('names, lists and texts have the types of the schema', () => {
  assert.match(problemsOf('[]')[0] ?? '', /This is a list, and must be an object/);
  assert.match(problemsOf('{"name": 1, "allow_rules": {}}').join('\n'), /name.*a number.*\n.*allow_rules.*an object/s);
  assert.match(inRules({ name: 'a', source: null }).join(), /allow_rules\[0\]\.source\|This is null/);
  assert.match(inRules({}).join(), /allow_rules\[0\]\.name\|This is missing/);
  assert.match(problemsOf('{"name": "built-in", "allow_rules": []}').join(), /rules of the node itself/);
});

test('a rule that names a method which is not served is refused with the nearest that are', () => {
  assert.match(
    inRules({ name: 'a', request: { paths: ['/acme.shop.v1.Orders/Plaze'] } }).join(),
    /serves no method.*The nearest are \/acme\.shop\.v1\.Orders\/Place, /,
  );
  assert.match(
    inRules({ name: 'a', request: { paths: ['/acme.shop.v1.Stok/*'] } }).join(),
    /The nearest are \/acme\.shop\.v1\.Stock\/Count/,
  );
  assert.match(
    inRules({ name: 'a', request: { paths: ['*/Placed'] } }).join(),
    /nearest are \/acme\.shop\.v1\.Orders\/Place/,
  );
  assert.match(inRules({ name: 'a', request: { paths: [''] } }).join(), /serves no method/);
});

test('where no application is served, the remedy is not one of our own services, which no rule opens', () => {
  const reading = readPolicy(
    JSON.stringify({ name: 'a', allow_rules: [{ name: 'a', request: { paths: ['/acme.Shop/*'] } }] }),
    'policy.json',
    ['/grpc.health.v1.Health/Check'],
  );
  assert.match(JSON.stringify(reading), /serves no method.*an allow rule names no paths/);
  assert.doesNotMatch(JSON.stringify(reading), /nearest/);
});

test('no rule opens a service of the node itself, but a denial and a wider path may name one', () => {
  for (const path of ['/selvedge.control.v1.NodeControl/Drain', '/selvedge.control*', '*/Check'])
    assert.match(
      inRules({ name: 'a', request: { paths: [path] } }).join(),
      /no rule of a policy opens.*admin-subject-names/,
    );
  for (const path of ['*', '/*', '*Place']) assert.deepEqual(inRules({ name: 'a', request: { paths: [path] } }), []);
  const deny = { name: 'd', request: { paths: ['/selvedge.control.v1.NodeControl/Drain'] } };
  assert.deepEqual(problemsOf(JSON.stringify({ name: 'p', deny_rules: [deny], allow_rules: [] })), []);
});

test('kinds of messages may be named though nobody knows them yet, and what can be no kind is refused', () => {
  for (const path of ['/selvedge.message/*', '/selvedge.message/cache.*', '/selvedge.message/cache.invalidate'])
    for (const effect of ['allow_rules', 'deny_rules']) {
      const policy = { name: 'p', allow_rules: [], [effect]: [{ name: 'r', request: { paths: [path] } }] };
      assert.deepEqual(problemsOf(JSON.stringify(policy)), [], path);
    }
  for (const path of ['/selvedge.message/', '/selvedge.message/Cache', '/selvedge.message/a/*', '/selvedge.message/*x'])
    assert.match(inRules({ name: 'r', request: { paths: [path] } }).join(), /No message is of a kind.*1 to 64 of a-z/);
  assert.match(inRules({ name: 'r', request: { paths: ['/selvedge.messages/*'] } }).join(), /serves no method/);
});

test('no rule allows the holder of a token anything, since tokens are not looked at there, but a denial may name one', () => {
  for (const principal of ['token:ann', 'jwt:*']) {
    const rule = { name: 'r', source: { principals: [principal] } };
    assert.match(inRules(rule).join(), /principals\[0\]\|"\S+" allows nothing: tokens.*from its role/);
    assert.deepEqual(problemsOf(JSON.stringify({ name: 'p', deny_rules: [rule], allow_rules: [] })), []);
  }
});

test('a header that a policy cannot see is refused', () => {
  const withKey = (key: string) => inRules({ name: 'a', request: { headers: [{ key, values: ['*'] }] } }).join();
  for (const key of [':path', 'grpc-timeout', 'Host', 'TE', 'Connection', 'Upgrade'])
    assert.match(withKey(key), /headers\[0\]\.key\|.*not supported in a policy/, key);
  for (const key of ['content-type', 'accept-encoding', 'trace-bin']) assert.match(withKey(key), /never match/, key);
  assert.match(withKey('a b'), /no key of gRPC metadata/);
  assert.match(withKey(''), /headers\[0\]\.key\|This is empty/);
  assert.equal(withKey('X-Env'), '');
  assert.match(
    inRules({ name: 'a', request: { headers: [{ key: 'x', values: [] }] } }).join(),
    /values\|This is missing or empty/,
  );
  assert.match(inRules({ name: 'a', request: { headers: [{ key: 'x' }] } }).join(), /values\|This is missing or empty/);
});

test('a policy does not say where audit records go, unless it need not be heard', () => {
  const withOptions = (options: object) =>
    problemsOf(JSON.stringify({ name: 'p', allow_rules: [], audit_logging_options: options })).join();
  assert.match(withOptions({ audit_logger: [{ name: 'stdout_logger' }] }), /cannot say where audit records go/);
  assert.equal(withOptions({ audit_logger: [{ name: 'x', is_optional: true }], audit_condition: 'NONE' }), '');
  assert.match(withOptions({ audit_condition: 'ALWAYS' }), /"ALWAYS" is no condition\.\|Conditions are NONE, ON_DENY/);
  assert.match(withOptions({ audit_logger: [{ name: 'x', is_optional: 'yes' }] }), /must be true or false/);
});

test('of many mistakes the first hundred are told', () => {
  const fields = Array.from({ length: 1_000 }, (_, index) => `"field-${index}": 1`);
  const reading = readPolicy(`{${fields.join(',')}}`, 'policy.json', []);
  assert.ok('problems' in reading);
  assert.equal(reading.problems.length, 100);
});
