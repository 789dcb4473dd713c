import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOverrides } from './overrides.ts';

test('two underscores of a variable are a dot, one is a dash', () => {
  const { overrides, problems } = readOverrides({ SELVEDGE_NETWORKING__TLS__MIN_VERSION: '1.2' }, []);
  assert.deepEqual(problems, []);
  assert.deepEqual(overrides, [
    { path: ['networking', 'tls', 'min-version'], value: '1.2', place: 'SELVEDGE_NETWORKING__TLS__MIN_VERSION' },
  ]);
});

test('variables of others are left alone, those of selvedgectl included', () => {
  assert.deepEqual(readOverrides({ SELVEDGECTL_ADDRESS: 'x', PATH: '/bin', SELVEDGE_LOG_LEVEL: undefined }, []), {
    overrides: [],
    problems: [],
  });
});

test('a value is TOML where the key takes it, and else the text as it stands', () => {
  const valueOfSet = (assignment: string) => readOverrides({}, [assignment]).overrides[0]?.value;
  assert.equal(valueOfSet('networking.max-connections=5'), 5);
  assert.equal(valueOfSet('networking.tls.refuse-downgrade=true'), true);
  assert.equal(valueOfSet('networking.drain-timeout=5s'), '5s');
  assert.equal(valueOfSet('networking.drain-timeout="5s"'), '5s');
  assert.equal(valueOfSet('node-name=7'), '7');
  assert.equal(valueOfSet('cluster-name=2024-01-01'), '2024-01-01');
  assert.equal(valueOfSet('cluster-name=a=b'), 'a=b');
  assert.equal(valueOfSet('cluster-name='), '');
  assert.equal(valueOfSet('labels.zone.a=7'), '7');
  assert.equal(valueOfSet('networking.tls.allowed-subject-names=*'), '*');
  assert.deepEqual(valueOfSet('networking.tls.allowed-subject-names=["a", "b"]'), ['a', 'b']);
  assert.equal(
    JSON.stringify(valueOfSet('networking.tls.profile=[{ destinations = ["a"] }]')),
    '[{"destinations":["a"]}]',
  );
});

test('a value cannot bring further keys with it', () => {
  const { overrides } = readOverrides({}, ['cluster-name="a"\nnode-name = "b"']);
  assert.deepEqual(
    overrides.map(({ path, value }) => [path, value]),
    [[['cluster-name'], '"a"\nnode-name = "b"']],
  );
});

test('the environment comes before --set, which wins by coming later', () => {
  const { overrides } = readOverrides({ SELVEDGE_NODE_NAME: 'a' }, ['node-name=b', 'node-name=c']);
  assert.deepEqual(
    overrides.map(({ value, place }) => [value, place]),
    [
      ['a', 'SELVEDGE_NODE_NAME'],
      ['b', '--set'],
      ['c', '--set'],
    ],
  );
});

test('a variable with our prefix that names no key is a problem that names the nearest one', () => {
  const { problems } = readOverrides({ SELVEDGE_NETWORKING_TLS_MODE: 'strict' }, []);
  assert.deepEqual(
    problems.map(({ place }) => place),
    ['SELVEDGE_NETWORKING_TLS_MODE'],
  );
  assert.match(problems[0]?.remedy ?? '', /Did you mean SELVEDGE_NETWORKING__TLS__MODE\?/);
});

test('--set of an unknown key, of a table, or without a value is a problem', () => {
  const { overrides, problems } = readOverrides({}, [
    'networking.tls.mod=plain',
    'networking={}',
    'networking.tls.profile.destinations=x',
    'mode',
    '=x',
  ]);
  assert.deepEqual(overrides, []);
  assert.deepEqual(
    problems.map(({ place, key }) => [place, key]),
    [
      ['--set', 'networking.tls.mod'],
      ['--set', 'networking'],
      ['--set', 'networking.tls.profile.destinations'],
      ['--set', ''],
      ['--set', ''],
    ],
  );
  assert.match(problems[0]?.remedy ?? '', /networking\.tls\.mode/);
});
