import assert from 'node:assert/strict';
import { mock, type TestContext, test } from 'node:test';
import { parseAddress } from '../identity/address.ts';
import { ChangeLog } from './change-log.ts';
import type { MembershipView } from './membership-source.ts';

test('the first change is logged at once, what follows within a second together', t => {
  const { log, lines } = begin(t, ['a']);
  log.changed(viewOf(['a', 'b']));
  assert.deepEqual(lines, [{ members: 2, joined: ['b'] }]);
  log.changed(viewOf(['a', 'b', 'c']));
  log.changed(viewOf(['b', 'c']));
  log.changed(viewOf(['b', 'c'], ['a']));
  mock.timers.tick(999);
  assert.equal(lines.length, 1);
  mock.timers.tick(1);
  assert.deepEqual(lines.slice(1), [{ members: 2, joined: ['c'], left: ['a'], removed: ['a'] }]);
  mock.timers.tick(1_000);
  log.changed(viewOf(['b', 'c', 'd'], ['a']));
  assert.deepEqual(lines.slice(2), [{ members: 3, joined: ['d'] }], 'after a quiet time at once again');
});

test('who comes and goes very often is one line a second, and none where all is as it was', t => {
  const { log, lines } = begin(t, ['a']);
  for (let turn = 0; turn < 200; turn += 1) log.changed(viewOf(turn % 2 === 0 ? ['a', 'b'] : ['a']));
  mock.timers.tick(1_000);
  assert.deepEqual(lines, [
    { members: 2, joined: ['b'] },
    { members: 1, left: ['b'] },
  ]);
  for (let turn = 0; turn < 200; turn += 1) log.changed(viewOf(turn % 2 === 0 ? ['a', 'b'] : ['a']));
  mock.timers.tick(10_000);
  assert.equal(lines.length, 2);
});

test('at the end nothing is left untold', t => {
  const { log, lines } = begin(t, ['a']);
  log.changed(viewOf(['b']));
  log.changed(viewOf(['c']));
  log.close();
  log.changed(viewOf(['d']));
  mock.timers.tick(10_000);
  assert.deepEqual(lines, [
    { members: 1, joined: ['b'], left: ['a'] },
    { members: 1, joined: ['c'], left: ['b'] },
  ]);
});

function begin(t: TestContext, names: readonly string[]) {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const lines: unknown[] = [];
  const log = new ChangeLog({ info: (_event, fields) => lines.push(fields) }, viewOf(names));
  return { log, lines };
}

function viewOf(names: readonly string[], removed: readonly string[] = []): MembershipView {
  const address = parseAddress('https://node.example:5122');
  return { members: names.map(name => ({ name, addresses: [address], labels: {} })), removed };
}
