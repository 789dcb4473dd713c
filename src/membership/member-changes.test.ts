import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../identity/address.ts';
import type { Member } from './member.ts';
import { changesOfMembers, isSameView } from './member-changes.ts';

const NOTHING = {
  joined: [],
  left: [],
  moved: [],
  relabelled: [],
  draining: [],
  resumed: [],
  removed: [],
  readmitted: [],
};

function changes(previous: readonly Member[], next: readonly Member[]) {
  return changesOfMembers({ members: previous, removed: [] }, { members: next, removed: [] });
}

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
  assert.deepEqual(changes(before, after), {
    joined: ['e', 'z'],
    left: ['a', 'c'],
    moved: ['b'],
    relabelled: ['b', 'd'],
    draining: [],
    resumed: [],
    removed: [],
    readmitted: [],
  });
  assert.deepEqual(changes(after, after), NOTHING);
  assert.deepEqual(changes([], [member('a')]), { ...NOTHING, joined: ['a'] });
});

test('another order of members and labels is no change, another order of addresses is', () => {
  const [first, second] = ['https://one.example:5122', 'https://two.example:5122'];
  const before = [member('a', { x: '1', y: '2' }, first, second), member('b')];
  assert.deepEqual(changes(before, [member('b'), member('a', { y: '2', x: '1' }, first, second)]), NOTHING);
  assert.deepEqual(changes(before, [member('a', { x: '1', y: '2' }, second, first), member('b')]), {
    ...NOTHING,
    moved: ['a'],
  });
});

test('zone, weight, draining and who is refused are told too', () => {
  const [a, b, c] = [member('a'), member('b'), member('c')];
  const before = { members: [a, { ...b, isDraining: true as const }, c], removed: ['x', 'y'] };
  const after = {
    members: [{ ...a, isDraining: true as const }, b, { ...c, weight: 2, zone: 'z' }],
    removed: ['y', 'w'],
  };
  assert.deepEqual(changesOfMembers(before, after), {
    ...NOTHING,
    relabelled: ['c'],
    draining: ['a'],
    resumed: ['b'],
    removed: ['w'],
    readmitted: ['x'],
  });
  assert.equal(isSameView(before, after), false);
  assert.equal(isSameView(before, { members: [...before.members].reverse(), removed: ['y', 'x'] }), true);
  assert.equal(isSameView(before, { ...before, terminating: ['x'] }), false);
});
