import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { watchedMembers } from '../../src/messaging/watched-members.ts';

const NAME = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const CLUSTER = fc.record({
  names: fc.uniqueArray(NAME, { minLength: 1, maxLength: 40 }),
  limit: fc.integer({ min: 1, max: 20 }),
});

function allSets(names: readonly string[], limit: number): Map<string, ReadonlySet<string>> {
  return new Map(names.map(name => [name, watchedMembers(name, names, limit)]));
}

test('every node watches `limit` others, and is watched by as many', () => {
  fc.assert(
    fc.property(CLUSTER, ({ names, limit }) => {
      const expected = Math.min(limit, names.length - 1);
      const watchedBy = new Map<string, number>();
      for (const [name, watched] of allSets(names, limit)) {
        assert.equal(watched.size, expected);
        assert.ok(!watched.has(name));
        for (const other of watched) watchedBy.set(other, (watchedBy.get(other) ?? 0) + 1);
      }
      for (const name of names) assert.equal(watchedBy.get(name) ?? 0, expected);
    }),
  );
});

test('the order in which members are listed, and whether the node is among them, changes nothing', () => {
  fc.assert(
    fc.property(CLUSTER, fc.func(fc.integer()), ({ names, limit }, rank) => {
      const shuffled = [...names].sort((a, b) => rank(a) - rank(b));
      const [self = ''] = names;
      const others = shuffled.filter(name => name !== self);
      assert.deepEqual(watchedMembers(self, shuffled, limit), watchedMembers(self, names, limit));
      assert.deepEqual(watchedMembers(self, others, limit), watchedMembers(self, names, limit));
    }),
  );
});

test('who joins changes the sets of at most `limit` others, each by one name', () => {
  fc.assert(
    fc.property(CLUSTER, NAME, ({ names, limit }, joining) => {
      fc.pre(!names.includes(joining) && names.length > limit);
      const before = allSets(names, limit);
      const after = allSets([...names, joining], limit);
      const changed = names.filter(name => after.get(name)?.has(joining));
      assert.ok(changed.length <= limit);
      for (const name of names) {
        const lost = [...(before.get(name) ?? [])].filter(other => !after.get(name)?.has(other));
        assert.equal(lost.length, changed.includes(name) ? 1 : 0);
      }
    }),
  );
});

test('when any `limit` nodes die at once, each of them is watched by one that lives', () => {
  fc.assert(
    fc.property(CLUSTER, fc.nat(), fc.integer({ min: 1, max: 7 }), ({ names, limit }, start, step) => {
      fc.pre(names.length > limit);
      const sets = allSets(names, limit);
      const dead = new Set(Array.from({ length: limit }, (_, index) => names[(start + index * step) % names.length]));
      for (const name of dead)
        assert.ok(names.some(other => !dead.has(other) && sets.get(other)?.has(name ?? '') === true));
    }),
  );
});
