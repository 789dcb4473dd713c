import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choosePeers } from './choose-peers.ts';

const NODES = ['a', 'b', 'c', 'd', 'e'];

test('three different ones are chosen, or all where there are fewer', () => {
  for (let turn = 0; turn < 100; turn += 1) {
    const chosen = choosePeers(NODES, new Set());
    assert.equal(new Set(chosen).size, 3);
    assert.ok(chosen.every(node => NODES.includes(node)));
  }
  assert.deepEqual(choosePeers(['a', 'b'], new Set()).toSorted(), ['a', 'b']);
  assert.deepEqual(choosePeers([], new Set(['a'])), []);
});

test('chance decides, and every one may be chosen', () => {
  assert.deepEqual(
    choosePeers(NODES, new Set(), () => 0),
    ['a', 'b', 'c'],
  );
  assert.deepEqual(
    choosePeers(NODES, new Set(), below => below - 1),
    ['e', 'd', 'c'],
  );
  const seen = new Set(Array.from({ length: 1_000 }, () => choosePeers(NODES, new Set())).flat());
  assert.deepEqual([...seen].toSorted(), NODES);
});

test('who refused before is asked again, where it is still there', () => {
  const chosen = choosePeers(NODES, new Set(['e', 'gone', 'd']), () => 0);
  assert.deepEqual(chosen, ['d', 'e', 'a']);
});
