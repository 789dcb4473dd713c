import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EtcdOutage } from './etcd-outage.ts';

const away = (problem: string) => ({ kind: 'away', problem }) as const;
const denied = { kind: 'denied', problem: 'no' } as const;

test('what is over soon is no outage, and one that lasts is told once, in its first words', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let changes = 0;
  const outage = new EtcdOutage(1_000, () => {
    changes += 1;
  });
  outage.note(away('one'));
  t.mock.timers.tick(999);
  assert.equal(outage.failure, undefined);
  outage.end();
  t.mock.timers.tick(2_000);
  assert.deepEqual([outage.failure, changes], [undefined, 0]);

  outage.note(away('one'));
  t.mock.timers.tick(500);
  outage.note(away('two'));
  outage.note(denied);
  outage.note(away('three'));
  t.mock.timers.tick(500);
  assert.deepEqual([outage.failure, changes], [away('three'), 1], 'tries that fail do not put it off');
  outage.note(away('the same in the words of another endpoint'));
  assert.deepEqual([outage.failure, changes], [away('three'), 1]);
  outage.note(denied);
  assert.deepEqual([outage.failure, changes], [denied, 2]);
  outage.end();
  assert.equal(outage.failure, undefined);

  outage.begin(away('at the start'));
  assert.deepEqual([outage.failure, changes], [away('at the start'), 3]);
  outage.end();
  outage.note(denied);
  outage.close();
  t.mock.timers.tick(2_000);
  assert.equal(changes, 3);
});
