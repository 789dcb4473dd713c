import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../test/kit/until.ts';
import { EtcdLease } from './etcd-lease.ts';

function setUp() {
  const calls: string[] = [];
  let answer: () => Promise<boolean> = async () => true;
  let ids = 0;
  let lost = 0;
  const lease = new EtcdLease({
    client: {
      grantLease: async ttlSeconds => {
        ids += 1;
        calls.push(`grant ${ttlSeconds}`);
        return String(ids);
      },
      keepAlive: id => {
        calls.push(`keep ${id}`);
        return answer();
      },
      revokeLease: async id => void calls.push(`revoke ${id}`),
    },
    ttlMs: 30,
    retry: { initialMs: 1, maxMs: 5 },
    onLost: () => {
      lost += 1;
    },
  });
  const kept = (id: string) => calls.filter(call => call === `keep ${id}`).length;
  return { lease, calls, kept, lost: () => lost, answers: (next: typeof answer) => (answer = next) };
}

test('a lease is asked for once, kept alive again and again, and ended', async () => {
  const { lease, calls, kept, lost } = setUp();
  assert.equal(lease.id, undefined);
  assert.deepEqual(await Promise.all([lease.granted(), lease.granted()]), ['1', '1']);
  await until('it is kept', () => kept('1') >= 3);
  assert.equal(await lease.granted(), '1');
  await lease.close();
  const after = calls.length;
  assert.equal(calls.at(-1), 'revoke 1');
  await assert.rejects(lease.granted());
  assert.deepEqual([calls.length, calls[0], lost()], [after, 'grant 1', 0]);
});

test('it is lost when etcd says so, not when etcd is away, and another one takes its place', async () => {
  const { lease, kept, lost, answers } = setUp();
  await lease.granted();
  answers(() => Promise.reject(new Error('away')));
  await until('it is tried again and again', () => kept('1') >= 5);
  assert.deepEqual([lease.id, lost()], ['1', 0]);
  answers(async () => false);
  await until('it is lost', () => lost() === 1);
  assert.equal(lease.id, undefined);
  answers(async () => true);
  assert.equal(await lease.granted(), '2');
  await until('the other one is kept', () => kept('2') >= 2);
  lease.forget();
  assert.equal(lease.id, undefined);
  assert.equal(await lease.granted(), '3');
  await lease.close();
});
