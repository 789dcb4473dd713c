import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress } from '../identity/address.ts';
import { parseMembers } from './members-file.ts';
import { membersFileEditor, membersFileInstructions } from './members-file-instructions.ts';
import type { MembershipChange } from './membership-editor.ts';
import { type Addition, parseAddition } from './parse-change.ts';

const NODE_1 = '[[member]]\nname = "node-1"\naddress = "node-1.example:5122"\n';
const NODE_3 = '[[member]]\nname = "node-3"\naddress = ["https://node-3.example:5122", "10.0.0.3:5122"]\nweight = 3\n';
const FILE = `removed = ["node-9", "node-7"]\n${NODE_1}${NODE_3}`;

function instructions(change: MembershipChange, text = FILE): string | undefined {
  return membersFileInstructions('members.toml', change, parseMembers(text, 'members.toml'));
}

function added(addition: Partial<Addition>, text = FILE): string | undefined {
  return instructions(parseAddition({ name: 'node-4', addresses: [], ...addition }), text);
}

/** The lines of TOML after each colon. */
function tomlOf(text: string | undefined): readonly string[] {
  return [...(text ?? '').matchAll(/:\n\n((?:.+\n?)+)/g)].map(([, lines]) => (lines ?? '').trim());
}

test('a new member: the lines to add, which a members file takes as they are', () => {
  const addresses = ['node-4.example', 'unix:/run/"x".sock'];
  const text = added({ addresses, labels: { role: 'worker', 'a b': 'q"' }, zone: 'eu-1a', weight: 0 });
  assert.match(text ?? '', /^Add these lines to members\.toml on every node:\n\n\[\[member\]\]\nname = "node-4"\n/);
  const [lines = ''] = tomlOf(text);
  const member = parseMembers(FILE + lines, 'x').members[2];
  assert.deepEqual(member?.addresses.map(formatAddress), ['node-4.example:5122', 'unix:/run/"x".sock']);
  assert.deepEqual({ ...member?.labels }, { role: 'worker', 'a b': 'q"' });
  assert.deepEqual([member?.zone, member?.weight], ['eu-1a', 0]);
});

test('a new member needs an address', () => {
  assert.throws(() => added({}), { code: 'usage', message: /members\.toml needs an address of node-4/ });
});

test('a member that was removed comes back with its table and without its name in the list', () => {
  const text = added({ name: 'node-7', addresses: ['node-7.example'] });
  assert.deepEqual(tomlOf(text), [
    '[[member]]\nname = "node-7"\naddress = "node-7.example:5122"',
    'removed = ["node-9"]',
  ]);
});

test('of a member that is there, what was not given stays as it is, and it drains no more', () => {
  const table = '[[member]]\nname = "node-3"\naddress = ["https://node-3.example:5122", "10.0.0.3:5122"]\n';
  const text = added({ name: 'node-3', zone: 'eu-1b' }, `${FILE}draining = true\n`);
  assert.match(text ?? '', /^In members\.toml, on every node, replace the \[\[member\]\] table of node-3 by:/);
  assert.deepEqual(tomlOf(text), [`${table}zone = "eu-1b"\nweight = 3`]);
  assert.deepEqual(tomlOf(added({ name: 'node-3' }, `${FILE}draining = true\n`)), [`${table}weight = 3`]);
});

test('a label of the file is written so that it can be read again', () => {
  const [lines = ''] = tomlOf(added({ name: 'node-1', weight: 2 }, `${NODE_1}labels = { x = "\\u007f\\n" }\n`));
  assert.deepEqual({ ...parseMembers(lines, 'x').members[0]?.labels }, { x: '\u007f\n' });
});

test('to drain is one line, where it belongs to the member whatever else its table holds', () => {
  const labelled = `${FILE}[member.labels]\nrole = "worker"\n`;
  const text = instructions({ kind: 'drain', name: 'node-3' }, labelled);
  assert.match(text ?? '', /^In members\.toml, on every node, write below the line with the name node-3:/);
  assert.deepEqual(tomlOf(text), ['draining = true']);
  const edited = labelled.replace('name = "node-3"\n', `name = "node-3"\n${tomlOf(text)}\n`);
  assert.equal(parseMembers(edited, 'x').members[1]?.isDraining, true);
});

test('to remove is the table that goes and the whole list of names as it is then', () => {
  const text = instructions({ kind: 'remove', name: 'node-3' });
  assert.match(text ?? '', /^In members\.toml, on every node, delete the \[\[member\]\] table of node-3, and/);
  assert.deepEqual(tomlOf(text), ['removed = ["node-3", "node-7", "node-9"]']);
  assert.deepEqual(tomlOf(instructions({ kind: 'remove', name: 'node-3' }, NODE_1 + NODE_3)), ['removed = ["node-3"]']);
});

test('to terminate is to remove, and the command that ends the process', () => {
  assert.deepEqual(tomlOf(instructions({ kind: 'terminate', name: 'node-3' })), [
    'removed = ["node-3", "node-7", "node-9"]',
    'selvedgectl drain --config node.toml',
  ]);
  assert.deepEqual(tomlOf(instructions({ kind: 'terminate', name: 'node-7' })), [
    'selvedgectl drain --config node.toml',
  ]);
});

test('what the file says already is done', async () => {
  const drained = `${FILE}draining = true\n`;
  assert.equal(instructions({ kind: 'remove', name: 'node-7' }), undefined);
  assert.equal(instructions({ kind: 'drain', name: 'node-3' }, drained), undefined);
  assert.equal(added({ name: 'node-3', weight: 3, labels: {} }), undefined);
  const labelled = `${NODE_1}labels = { role = "worker" }\n`;
  assert.equal(added({ name: 'node-1', labels: { role: 'worker' } }, labelled), undefined);
  const editor = membersFileEditor('members.toml', () => parseMembers(FILE, 'x'));
  await editor.change({ kind: 'remove', name: 'node-7' }, 'ann');
  await assert.rejects(editor.change({ kind: 'remove', name: 'node-3' }, 'ann'), {
    code: 'membership_not_writable',
    message: instructions({ kind: 'remove', name: 'node-3' }),
  });
});

test('who is no member can be added alone', () => {
  for (const kind of ['drain', 'remove', 'terminate'] as const)
    assert.throws(() => instructions({ kind, name: 'node-8' }), { code: 'member_unknown' });
  assert.throws(() => instructions({ kind: 'drain', name: 'node-7' }), { code: 'member_unknown' });
});
