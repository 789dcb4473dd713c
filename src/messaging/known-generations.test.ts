import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownGenerations } from './known-generations.ts';

test('the newest generation counts, whatever came last', () => {
  const known = new KnownGenerations();
  assert.equal(known.newest('node-a', true), undefined);
  known.remember('node-a', 5, true);
  known.remember('node-a', 3, true);
  assert.equal(known.newest('node-a', true), 5);
  assert.equal(known.newest('node-b', true), undefined);
});

test('what was claimed in plaintext does not count against mutual TLS, the other way round it does', () => {
  const known = new KnownGenerations();
  known.remember('node-a', 9, false);
  assert.equal(known.newest('node-a', true), undefined);
  assert.equal(known.newest('node-a', false), 9);
  known.remember('node-b', 9, true);
  assert.equal(known.newest('node-b', false), 9);
});

test('members are never forgotten, of the others the oldest are', () => {
  const known = new KnownGenerations();
  for (let i = 0; i < 1_500; i += 1) known.remember(`node-${i}`, 1, true);
  known.trim(name => name === 'node-0');
  assert.equal(known.newest('node-0', true), 1);
  assert.equal(known.newest('node-1', true), undefined);
  assert.equal(known.newest('node-499', true), undefined);
  assert.equal(known.newest('node-500', true), 1);
});
