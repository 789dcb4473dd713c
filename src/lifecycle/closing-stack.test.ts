import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ClosingStack } from './closing-stack.ts';

test('what was opened last is closed first, each before the next begins', async () => {
  const closed: string[] = [];
  const stack = new ClosingStack();
  for (const name of ['first', 'second', 'third']) {
    stack.defer(name, async () => {
      closed.push(`${name} begins`);
      await turn();
      closed.push(`${name} ends`);
    });
  }
  await stack.close();
  assert.deepEqual(closed, [
    'third begins',
    'third ends',
    'second begins',
    'second ends',
    'first begins',
    'first ends',
  ]);
});

test('one that fails is reported by name and stops nobody else, whether it throws or rejects', async () => {
  const errors: string[] = [];
  const closed: string[] = [];
  const stack = new ClosingStack((name, error) => errors.push(`${name}: ${String(error)}`));
  stack.defer('good', () => closed.push('good'));
  stack.defer('rejects', () => Promise.reject(new Error('late')));
  stack.defer('throws', () => {
    throw new Error('soon');
  });
  await stack.close();
  assert.deepEqual(errors, ['throws: Error: soon', 'rejects: Error: late']);
  assert.deepEqual(closed, ['good']);
});

test('use gives the resource back and closes it', async () => {
  let closed = false;
  const resource = {
    close: () => {
      closed = true;
    },
  };
  {
    await using stack = new ClosingStack();
    assert.equal(stack.use('resource', resource), resource);
    assert.equal(closed, false);
  }
  assert.equal(closed, true);
});

test('everything is closed once, also when close is called twice', async () => {
  let times = 0;
  const stack = new ClosingStack();
  stack.defer('counted', () => {
    times += 1;
  });
  await stack.close();
  await stack.close();
  assert.equal(times, 1);
});
