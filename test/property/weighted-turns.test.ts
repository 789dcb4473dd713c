import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WeightedTurns } from '../../src/connector/weighted-turns.ts';

const heavy = fc.array(fc.integer({ min: 0, max: 65_535 }), { minLength: 1, maxLength: 8 });
const weights = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 8 });

function choicesOf(all: readonly number[]) {
  return all.map((weight, index) => ({ name: `node-${index}`, weight }));
}

test('in one round each comes as often as its weight, and none waits for longer than its share asks for', () => {
  fc.assert(
    fc.property(weights, all => {
      const choices = choicesOf(all);
      const sum = all.reduce((before, weight) => before + weight, 0);
      const round = sum === 0 ? choices.length : sum;
      const turns = new WeightedTurns();
      const last = new Map<string, number>();
      const taken = new Map<string, number>();
      for (let turn = 1; turn <= 2 * round; turn += 1) {
        const { name = '', weight = 0 } = turns.next(choices) ?? {};
        if (turn <= round) taken.set(name, (taken.get(name) ?? 0) + 1);
        const share = (sum === 0 ? 1 : weight) / round;
        assert.ok(turn - (last.get(name) ?? 0) < 2 / share + 1, `${name} waited`);
        last.set(name, turn);
      }
      for (const { name, weight } of choices) assert.equal(taken.get(name) ?? 0, sum === 0 ? 1 : weight);
    }),
    { numRuns: 200 },
  );
});

test('whatever was before, weights of now are kept to after a few rounds', () => {
  fc.assert(
    fc.property(fc.array(heavy, { maxLength: 5 }), weights, (before, now) => {
      const turns = new WeightedTurns();
      for (const all of before) for (let turn = 0; turn < 10; turn += 1) turns.next(choicesOf(all));
      const choices = choicesOf(now);
      const sum = now.reduce((so, weight) => so + weight, 0);
      const round = sum === 0 ? choices.length : sum;
      const taken = new Map<string, number>();
      for (let turn = 0; turn < 10 * round; turn += 1) {
        const { name = '' } = turns.next(choices) ?? {};
        taken.set(name, (taken.get(name) ?? 0) + 1);
      }
      for (const { name, weight } of choices) {
        const expected = 10 * (sum === 0 ? 1 : weight);
        assert.ok(Math.abs((taken.get(name) ?? 0) - expected) <= 2 * round, name);
      }
    }),
    { numRuns: 200 },
  );
});
