import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BelievedEnd } from './believed-end.ts';

test('an end is shown when it is vouched for, asked about at most once a second, and not for others', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let asked = 0;
  let isVouched = false;
  let believed = 0;
  const end = new BelievedEnd({
    nodeName: 'a',
    vouches: async () => {
      asked += 1;
      return isVouched;
    },
    onBelieved: () => {
      believed += 1;
    },
  });
  const view = { members: [], removed: ['a', 'b'], terminating: ['a', 'b'] };
  const settled = () => new Promise(resolve => setImmediate(resolve));
  const others = { members: [], removed: ['b'], terminating: ['b'] };
  assert.equal(end.shown(others), others);
  assert.equal(asked, 0);
  for (let turn = 0; turn < 10; turn += 1) assert.deepEqual(end.shown(view).terminating, ['b']);
  await settled();
  assert.deepEqual([asked, believed], [1, 0]);
  isVouched = true;
  t.mock.timers.tick(1_000);
  await settled();
  assert.deepEqual([asked, believed], [2, 1]);
  assert.equal(end.shown(view), view);
  assert.equal(end.shown(others), others);
  assert.deepEqual(end.shown({ members: [], removed: ['a'], terminating: ['a'] }), { members: [], removed: ['a'] });
  end.close();
});
