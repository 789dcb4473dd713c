import assert from 'node:assert/strict';
import { mock, type TestContext, test } from 'node:test';
import { PacedTurns } from './paced-turns.ts';

test('the first turn is taken at once, each other after a pause, in order', t => {
  const { turns, taken } = begin(t);
  for (const key of ['a', 'b', 'c']) turns.add(key, () => taken.push(key));
  assert.deepEqual(taken, ['a']);
  mock.timers.tick(9);
  assert.deepEqual(taken, ['a']);
  mock.timers.tick(1);
  assert.deepEqual(taken, ['a', 'b']);
  mock.timers.tick(10);
  assert.deepEqual(taken, ['a', 'b', 'c']);
});

test('what is asked for again before its turn is done once, as it was asked for last', t => {
  const { turns, taken } = begin(t);
  for (const text of ['first', 'second', 'third']) turns.add('a', () => taken.push(text));
  mock.timers.tick(10);
  assert.deepEqual(taken, ['first', 'third']);
  mock.timers.tick(10);
  turns.add('a', () => taken.push('fourth'));
  assert.deepEqual(taken, ['first', 'third', 'fourth']);
});

test('after the close no turn comes', t => {
  const { turns, taken } = begin(t);
  for (const key of ['a', 'b']) turns.add(key, () => taken.push(key));
  turns.close();
  turns.add('c', () => taken.push('c'));
  mock.timers.tick(100);
  assert.deepEqual(taken, ['a']);
});

function begin(t: TestContext): { turns: PacedTurns; taken: string[] } {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  return { turns: new PacedTurns(10), taken: [] };
}
