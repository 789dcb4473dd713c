import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WeightedTurns } from './weighted-turns.ts';

type Weights = Readonly<Record<string, number>>;

function turnsOf(turns: WeightedTurns, weights: Weights, count: number): string {
  const choices = Object.entries(weights).map(([name, weight]) => ({ name, weight }));
  return Array.from({ length: count }, () => turns.next(choices)?.name ?? '-').join('');
}

test('those of one weight come in their order', () => {
  assert.equal(turnsOf(new WeightedTurns(), { a: 1, b: 1, c: 1 }, 7), 'abcabca');
  assert.equal(turnsOf(new WeightedTurns(), { a: 7, b: 7 }, 4), 'abab');
});

test('each comes as often as its weight, and the turns of a heavy one are spread', () => {
  assert.equal(turnsOf(new WeightedTurns(), { a: 5, b: 1, c: 1 }, 14), 'aabacaaaabacaa');
  const many = turnsOf(new WeightedTurns(), { a: 65_535, b: 1 }, 65_536);
  assert.equal(many.replaceAll('a', ''), 'b');
});

test('weight 0 is chosen only where all have it', () => {
  assert.equal(turnsOf(new WeightedTurns(), { a: 0, b: 1 }, 4), 'bbbb');
  assert.equal(turnsOf(new WeightedTurns(), { a: 0, b: 0 }, 4), 'abab');
});

test('who leaves owes nothing and is owed nothing when it comes back', () => {
  const turns = new WeightedTurns();
  assert.equal(turnsOf(turns, { a: 1, b: 1 }, 1), 'a');
  assert.equal(turnsOf(turns, { b: 1 }, 5), 'bbbbb');
  assert.equal(turnsOf(turns, { a: 1, b: 1 }, 4), 'baba');
});

test('what was owed under heavy weights is not made up for under light ones', () => {
  const turns = new WeightedTurns();
  turnsOf(turns, { a: 65_535, b: 1, c: 1 }, 32_769);
  const after = turnsOf(turns, { b: 1, c: 1 }, 20);
  assert.ok(Math.abs(after.replaceAll('b', '').length - 10) <= 2, after);
});

test('nobody has no turn', () => {
  assert.equal(turnsOf(new WeightedTurns(), {}, 1), '-');
});
