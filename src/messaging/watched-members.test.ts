import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchedMembers } from './watched-members.ts';

const RACKS = ['a', 'b', 'c', 'd'].flatMap(rack => Array.from({ length: 40 }, (_, index) => `rack-${rack}-${index}`));

test('a cluster that is no larger than the limit is a full mesh', () => {
  assert.deepEqual([...watchedMembers('a', ['b', 'c'], 2)].sort(), ['b', 'c']);
  assert.deepEqual([...watchedMembers('a', ['a', 'b', 'c', 'b'], 2)].sort(), ['b', 'c']);
  assert.deepEqual([...watchedMembers('a', [], 1)], []);
  assert.deepEqual([...watchedMembers('a', ['a'], 1)], []);
});

test('the order of the ring is that of SHA-256, on every node of every version', () => {
  // printf node-1 | sha256sum: 35971b.., node-2 1779f5.., node-3 a84cfe.., node-4 9bc63d..
  const names = ['node-1', 'node-2', 'node-3', 'node-4'];
  assert.deepEqual(
    names.map(name => [...watchedMembers(name, names, 1)]),
    [['node-4'], ['node-1'], ['node-2'], ['node-3']],
  );
});

test('nobody is watched by its own rack alone', () => {
  const watchers = new Map(RACKS.map(name => [name, new Set<string>()]));
  for (const name of RACKS)
    for (const watched of watchedMembers(name, RACKS, 16)) watchers.get(watched)?.add(name.slice(0, 6));
  for (const [name, racks] of watchers) assert.ok(racks.size > 1, `${name} is watched by ${[...racks].join()}`);
});
