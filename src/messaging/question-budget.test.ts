import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuestionBudget } from './question-budget.ts';

test('a node has sixty questions judged in a minute, whatever others ask', () => {
  let now = 0;
  const budget = new QuestionBudget(() => now);
  assert.equal(taken(budget, 'node-2', 500), 60);
  assert.equal(taken(budget, 'node-3', 500), 60);
  now = 59_999;
  assert.equal(taken(budget, 'node-2', 1), 0);
  now = 60_000;
  assert.equal(taken(budget, 'node-2', 500), 60);
});

test('all nodes together have six hundred, under as many names as they like', () => {
  const budget = new QuestionBudget(() => 0);
  let judged = 0;
  for (let node = 0; node < 2_000; node += 1) judged += taken(budget, `node-${node}`, 1);
  assert.equal(judged, 600);
});

function taken(budget: QuestionBudget, nodeName: string, questions: number): number {
  return Array.from({ length: questions }, () => budget.take(nodeName)).filter(Boolean).length;
}
