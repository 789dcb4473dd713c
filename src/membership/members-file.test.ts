import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ConfigProblem, isSelvedgeError } from '../errors/selvedge-error.ts';
import { formatAddress } from '../identity/address.ts';
import { loadMembersFile, parseMembers } from './members-file.ts';

test('names, addresses and labels are read in the order of the file', () => {
  const { members } = parseMembers(
    `
    [[member]]
    name = "node-2"
    address = "https://node-2.example:7000"
    [[member]]
    name = "node-3"
    address = ["node-3.example", "unix:/run/node-3.sock"]
    labels = { role = "worker" }
    `,
    'members.toml',
  );
  assert.deepEqual(
    members.map(({ name, addresses, labels }) => ({
      name,
      addresses: addresses.map(formatAddress),
      labels: { ...labels },
    })),
    [
      { name: 'node-2', addresses: ['https://node-2.example:7000'], labels: {} },
      { name: 'node-3', addresses: ['node-3.example:5122', 'unix:/run/node-3.sock'], labels: { role: 'worker' } },
    ],
  );
});

test('zone, weight and draining are read, and the names that were removed are sorted', () => {
  const { members, removed } = parseMembers(
    `
    removed = ["node-9", "node-7"]
    [[member]]
    name = "node-2"
    address = "a"
    zone = "eu-1a"
    weight = 0
    draining = true
    [[member]]
    name = "node-3"
    address = "b"
    draining = false
    `,
    'members.toml',
  );
  assert.deepEqual(
    members.map(({ addresses, labels, ...rest }) => rest),
    [{ name: 'node-2', zone: 'eu-1a', weight: 0, isDraining: true }, { name: 'node-3' }],
  );
  assert.deepEqual(removed, ['node-7', 'node-9']);
});

test('what is said of removed names is checked, and none of them may be a member', () => {
  const member = '[[member]]\nname = "node-2"\naddress = "a"\n';
  const listed = problemsOf(`removed = ["node-2", "Node 3", 4, "node-5", "node-5"]\n${member}`);
  assert.deepEqual(
    listed.map(({ key }) => key),
    ['removed[0]', 'removed[1]', 'removed[2]', 'removed[4]'],
  );
  assert.match(listed[0]?.problem ?? '', /node-2 is removed, and a member too/);
  assert.deepEqual(
    problemsOf(`removed = "node-7"\n${member}`).map(({ key }) => key),
    ['removed'],
  );
  assert.match(problemsOf('removed = ["node-2"]\n')[0]?.problem ?? '', /no member is listed/);
});

test('zone, weight and draining that are none are mistakes', () => {
  const mistakes = ['zone = ""', 'zone = 3', `zone = "${'x'.repeat(129)}"`, 'weight = 65536', 'weight = -1']
    .concat(['weight = 0.5', 'weight = "1"', 'draining = "yes"'])
    .map(line => problemsOf(`[[member]]\nname = "node-2"\naddress = "a"\n${line}\n`))
    .map(problems => problems.map(({ key }) => key));
  assert.deepEqual(mistakes, [
    ...Array.from({ length: 3 }, () => ['member[0].zone']),
    ...Array.from({ length: 4 }, () => ['member[0].weight']),
    ['member[0].draining'],
  ]);
});

test('an empty file is a mistake: it never means that everybody left', () => {
  assert.throws(() => parseMembers('', 'members.toml'), /no member is listed/);
});

test('every mistake is reported, with its key', () => {
  const problems = problemsOf(`
    size = 3
    [[member]]
    name = "Node 2"
    address = "node-2"
    [[member]]
    name = "node-3"
    port = 1
    [[member]]
    name = "node-4"
    address = ["ftp://node-4", 7]
    labels = { weight = 3 }
    [[member]]
    name = "node-5"
    address = []
    [[member]]
    name = "node-6"
    address = "a"
    [[member]]
    name = "node-6"
    address = "b"
  `);
  assert.deepEqual(
    problems.map(({ key }) => key),
    [
      'size',
      'member[0].name',
      'member[1].port',
      'member[1].address',
      'member[2].address',
      'member[2].address',
      'member[2].labels',
      'member[3].address',
      'member[5].name',
    ],
  );
  assert.ok(problems.every(({ place }) => place === 'members.toml'));
  assert.match(problems.at(-1)?.problem ?? '', /node-6 is listed twice/);
});

test('[member] with one bracket is told what to write', () => {
  const [problem] = problemsOf('[member]\nname = "node-2"\naddress = "a"\n');
  assert.match(problem?.remedy ?? '', /\[\[member\]\]/);
});

test('text that is not TOML is reported with line and column, in one line', () => {
  const [problem, ...rest] = problemsOf('[[member]]\nname = node-2\n');
  assert.equal(rest.length, 0);
  assert.match(problem?.place ?? '', /^members\.toml:2:\d+$/);
  assert.equal(problem?.problem, 'is not TOML: invalid value');
});

test('a file that is not there is config_invalid and names the file', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-members-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'members.toml');
  await assert.rejects(loadMembersFile(file), error => {
    assert.ok(isSelvedgeError(error, 'config_invalid'));
    assert.equal(error.facts.problems[0]?.place, file);
    assert.match(error.message, /cannot be read/);
    return true;
  });
});

function problemsOf(text: string): readonly ConfigProblem[] {
  try {
    parseMembers(text, 'members.toml');
  } catch (error) {
    assert.ok(isSelvedgeError(error, 'config_invalid'));
    return error.facts.problems;
  }
  throw new assert.AssertionError({ message: 'nothing was wrong' });
}
