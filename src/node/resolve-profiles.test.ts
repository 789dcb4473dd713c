import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TlsProfileOptions } from './node-options.ts';
import { OptionProblems } from './option-problems.ts';
import { NO_CREDENTIALS } from './resolve-credentials.ts';
import { resolveProfiles } from './resolve-profiles.ts';

const WIDE = 'https://*.blue.example:*';
const NODE_IDENTITY = 'uri:spiffe://dev/fabric/{node-name}';

function resolved(profiles: readonly TlsProfileOptions[], nodeIdentity?: string) {
  const found = new OptionProblems();
  const credentials = { bundleFile: '/bundle.pem', source: 'bundle', caFiles: ['/ca.pem'] } as const;
  const settings = resolveProfiles(
    profiles.map(profile => ({ ...credentials, ...profile })),
    { path: ['profiles'], client: NO_CREDENTIALS, nodeIdentity, nodeName: 'node-1' },
    found,
  );
  const problems = found.problems.map(({ path, problem, others }) => ({
    at: path.slice(1).join('.'),
    problem,
    others: others.map(other => other.slice(1).join('.')),
  }));
  return { settings, problems };
}

test('a destination that an earlier profile has wholly is a mistake at both places, in whatever words', () => {
  for (const [earlier, later] of [
    ['https://a.example', 'A.example.:5122'],
    [WIDE, 'https://node-1.blue.example:7'],
    [WIDE, 'node-*.blue.example'],
    ['**.example:*', '**.blue.example:443'],
    ['*:*', '[::1]:7'],
    ['[::ffff:10.0.0.1]:*', '10.0.0.1:5122'],
    ['[0:0:0:0:0:0:0:1]', '[::1]:5122'],
  ] as const) {
    const { problems } = resolved([{ destinations: ['z', earlier] }, { destinations: [later] }]);
    assert.deepEqual(
      problems.map(({ at, others }) => [at, others]),
      [['1.destinations.0', ['0.destinations.1']]],
      `${earlier} before ${later}`,
    );
    assert.match(problems[0]?.problem ?? '', /can never match: .*of profile 1\.$/);
    assert.ok(problems[0]?.problem.includes(`"${earlier}"`));
  }
});

test('several destinations may have another one together, and all are named', () => {
  const { problems } = resolved([
    { name: 'near', destinations: ['*.blue.example'] },
    { name: 'far', destinations: ['**.*.blue.example:*'] },
    { destinations: ['**.blue.example'] },
  ]);
  assert.deepEqual(
    problems.map(({ others }) => others),
    [['0.destinations.0', '1.destinations.0']],
  );
  assert.match(problems[0]?.problem ?? '', /of profile near and ".*" of profile far\.$/);
});

test('the narrower before the wider, and what overlaps in part, is as it should be', () => {
  for (const [earlier, later] of [
    ['https://node-1.blue.example:7', WIDE],
    ['*.blue.example:443', 'node-*.blue.example:*'],
    ['*.blue.example:*', '*.*.blue.example:*'],
    ['localhost:*', '127.0.0.1:*'],
    ['10.0.0.1', '10.0.0.1:5123'],
  ] as const)
    assert.deepEqual(resolved([{ destinations: [earlier] }, { destinations: [later] }]).problems, []);
});

test('within one profile the same destination twice is a slip, and a narrower one besides is not', () => {
  assert.deepEqual(
    resolved([{ destinations: ['a', 'https://A.:5122'] }]).problems.map(({ at }) => at),
    ['0.destinations.1'],
  );
  assert.deepEqual(resolved([{ destinations: [WIDE, 'node-1.blue.example'] }]).problems, []);
});

test('a profile is called by its name, else by its place; names are distinct and unlike places', () => {
  const { settings, problems } = resolved([
    { name: 'blue', destinations: ['a'] },
    { destinations: ['b'] },
    { name: 'blue', destinations: ['c'] },
    { name: '2', destinations: ['d'] },
    { name: 'Blue\n', destinations: ['e'] },
  ]);
  assert.deepEqual(
    settings.slice(0, 2).map(({ name }) => name),
    ['blue', '2'],
  );
  assert.deepEqual(
    problems.map(({ at }) => at),
    ['2.name', '3.name', '4.name'],
  );
});

test('the name of a node is proven as everywhere, as the profile says, or not at all', () => {
  const blue = 'uri:spiffe://blue/{node-name}';
  const { settings, problems } = resolved(
    [
      { destinations: ['a'] },
      { destinations: ['b'], nodeIdentity: blue },
      { destinations: ['c'], nodeIdentity: '', serverSubjectNames: ['uri:spiffe://blue/worker/*'] },
      { destinations: ['d'], nodeIdentity: '', serverSubjectNames: [] },
    ],
    NODE_IDENTITY,
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    settings.map(({ nodeIdentity }) => nodeIdentity),
    [NODE_IDENTITY, blue, undefined, undefined],
  );
  assert.deepEqual(settings[3]?.serverSubjectNames, []);
  for (const nodeIdentity of ['uri:spiffe://blue/node-1', 'uri:spiffe://blue/*/{node-name}', '{node-name}'])
    assert.deepEqual(
      resolved([{ destinations: ['a'], nodeIdentity }]).problems.map(({ at }) => at),
      ['0.nodeIdentity'],
    );
});

test('names of servers where the name of the node is proven would be obeyed by nothing', () => {
  const own = { nodeIdentity: NODE_IDENTITY };
  for (const [profile, inherited] of [
    [{}, NODE_IDENTITY],
    [own, undefined],
  ] as const) {
    const { problems } = resolved([{ destinations: ['a'], serverSubjectNames: ['cn:x'], ...profile }], inherited);
    assert.deepEqual(
      problems.map(({ at }) => at),
      ['0.serverSubjectNames'],
    );
  }
});
