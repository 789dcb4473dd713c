import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedCache } from './bounded-cache.ts';

test('what was not asked for the longest goes first', () => {
  const cache = new BoundedCache<string>(2);
  cache.set('a', '1');
  cache.set('b', '2');
  assert.equal(cache.get('a'), '1');
  cache.set('c', '3');
  assert.deepEqual([cache.get('a'), cache.get('b'), cache.get('c')], ['1', undefined, '3']);
  cache.set('c', '4');
  assert.deepEqual([cache.get('a'), cache.get('c')], ['1', '4']);
});
