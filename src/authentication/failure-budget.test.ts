import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FailureBudget } from './failure-budget.ts';

test('ten tries at once, then one a second', () => {
  const budget = new FailureBudget(0);
  const spent = (nowMs: number): number => {
    let count = 0;
    for (; budget.isLeft(nowMs); count++) budget.spend();
    return count;
  };
  assert.deepEqual([0, 999, 1_000, 1_500, 2_000, 5_999, 1_000_000].map(spent), [10, 0, 1, 0, 1, 3, 10]);
});

test('what was spent beyond the tries is waited for', () => {
  const budget = new FailureBudget(0);
  for (let count = 0; count < 15; count++) budget.spend();
  assert.equal(budget.isLeft(5_000), false);
  assert.equal(budget.isLeft(6_000), true);
});

test('a clock that is set back gives nothing and takes nothing', () => {
  const budget = new FailureBudget(10_000);
  for (let count = 0; count < 10; count++) budget.spend();
  assert.equal(budget.isLeft(0), false);
  assert.equal(budget.isLeft(11_000), true);
});
