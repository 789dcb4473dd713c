import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ConfigProblem, isSelvedgeError } from '../errors/selvedge-error.ts';
import { formatAddress } from '../identity/address.ts';
import { loadMembersFile, parseMembers } from './members-file.ts';

test('names, addresses and labels are read in the order of the file', () => {
  const members = parseMembers(
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
