import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../test/kit/until.ts';
import { messageOf } from '../errors/selvedge-error.ts';
import type { EtcdClient, EtcdRange } from '../rpc/etcd-client.ts';
import { EtcdFollower } from './etcd-follower.ts';

type WatchParts = Parameters<EtcdClient['watch']>[1];

const BROKEN = 666;

function setUp() {
  const told: string[] = [];
  const readings: { resolve(range: EtcdRange): void; reject(error: Error): void }[] = [];
  const watches: (WatchParts & { isClosed: boolean })[] = [];
  const follower = new EtcdFollower({
    client: {
      rangeOf: () => new Promise((resolve, reject) => readings.push({ resolve, reject })),
      watch: (_prefix, parts) => {
        const watch = { ...parts, isClosed: false };
        watches.push(watch);
        return {
          close: () => {
            watch.isClosed = true;
          },
        };
      },
    },
    prefix: '/x/',
    retry: { initialMs: 1, maxMs: 2 },
    askEveryMs: 1_000,
    onRange: ({ revision }) => {
      if (revision === BROKEN) throw new Error('a subscriber threw');
      told.push(`range ${revision}`);
    },
    onRangeError: error => told.push(`failed ${messageOf(error)}`),
    onEvents: ({ revision }) => told.push(`events ${revision}`),
    onFollowing: () => told.push('following'),
    onLost: ({ problem }) => told.push(`lost ${problem}`),
  });
  const rangeAt = (revision: number): EtcdRange => ({ clusterId: 'c', revision, raftTerm: 1, kvs: [] });
  return { follower, told, readings, watches, rangeAt };
}

test('each watch begins where a reading ended, after an end of any kind too', async () => {
  const { follower, told, readings, watches, rangeAt } = setUp();
  readings[0]?.resolve(rangeAt(5));
  await until('it watches', () => watches.length === 1);
  assert.equal(watches[0]?.startRevision, 6);
  assert.equal(follower.isFollowing, false);
  watches[0]?.onCreated();
  assert.equal(follower.isFollowing, true);
  watches[0]?.onEvents({ clusterId: 'c', revision: 6, raftTerm: 1, events: [] });
  watches[0]?.onEnd({ kind: 'compacted' });
  assert.equal(follower.isFollowing, false);
  await until('it reads again', () => readings.length === 2);
  readings[1]?.reject(new Error('no'));
  await until('and again', () => readings.length === 3);
  readings[2]?.resolve(rangeAt(9));
  await until('it watches again', () => watches.length === 2);
  watches[1]?.onEnd({ kind: 'away', problem: 'gone' });
  assert.deepEqual(told, ['range 5', 'following', 'events 6', 'lost no', 'range 9', 'lost gone']);
  assert.equal(watches[1]?.startRevision, 10);
  follower.close();
});

test('another connection begins anew at once, unless it is about to; after the end nothing is told', async () => {
  const { follower, told, readings, watches, rangeAt } = setUp();
  follower.restart();
  assert.equal(readings.length, 1, 'it reads already');
  readings[0]?.resolve(rangeAt(5));
  await until('it watches', () => watches.length === 1);
  follower.restart();
  assert.deepEqual([readings.length, watches[0]?.isClosed], [2, true]);
  follower.close();
  readings[1]?.resolve(rangeAt(7));
  follower.restart();
  await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual([told, readings.length, watches.length], [['range 5'], 2, 1]);
});

test('where somebody who hears of a reading throws, that is told, and everything is read anew', async () => {
  const { follower, told, readings, watches, rangeAt } = setUp();
  readings[0]?.resolve(rangeAt(BROKEN));
  await until('it reads again', () => readings.length === 2);
  readings[1]?.resolve(rangeAt(7));
  await until('it watches', () => watches.length === 1);
  assert.deepEqual(told, ['failed a subscriber threw', 'range 7']);
  follower.close();
});
