import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../identity/address.ts';
import type { Member } from './member.ts';
import { changesOfMembers } from './member-changes.ts';

const NOTHING = { joined: [], left: [], moved: [], relabelled: [] };

function member(name: string, labels: Member['labels'] = {}, ...addresses: readonly string[]): Member {
  const at = addresses.length === 0 ? [`https://${name}.example:5122`] : addresses;
  return { name, addresses: at.map(parseAddress), labels };
}

test('who joined, who left, who moved and whose labels are others is told by name, sorted', () => {
  const before = [member('c'), member('a'), member('b', { zone: 'x' }), member('d')];
  const after = [
    member('z'),
    member('b', { zone: 'y' }, 'https://elsewhere.example:5122'),
    member('d', { zone: 'x' }),
    member('e'),
  ];
  assert.deepEqual(changesOfMembers(before, after), {
    joined: ['e', 'z'],
    left: ['a', 'c'],
    moved: ['b'],
    relabelled: ['b', 'd'],
  });
  assert.deepEqual(changesOfMembers(after, after), NOTHING);
  assert.deepEqual(changesOfMembers([], [member('a')]), { ...NOTHING, joined: ['a'] });
});

test('another order of members and labels is no change, another order of addresses is', () => {
  const [first, second] = ['https://one.example:5122', 'https://two.example:5122'];
  const before = [member('a', { x: '1', y: '2' }, first, second), member('b')];
  assert.deepEqual(changesOfMembers(before, [member('b'), member('a', { y: '2', x: '1' }, first, second)]), NOTHING);
  assert.deepEqual(changesOfMembers(before, [member('a', { x: '1', y: '2' }, second, first), member('b')]), {
    ...NOTHING,
    moved: ['a'],
  });
});
