import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../identity/address.ts';
import { ownStandingIn } from './own-standing.ts';

test('what the sources say of the node itself', () => {
  const own = { name: 'node-1', addresses: [parseAddress('http://a:1')], labels: {} };
  assert.equal(ownStandingIn({ members: [own], removed: ['node-2'] }, 'node-1'), 'active');
  assert.equal(ownStandingIn({ members: [{ ...own, isDraining: true }], removed: [] }, 'node-1'), 'draining');
  assert.equal(ownStandingIn({ members: [], removed: [] }, 'node-1'), 'unlisted');
  assert.equal(ownStandingIn({ members: [], removed: ['node-1'] }, 'node-1'), 'removed');
  assert.equal(ownStandingIn({ members: [], removed: ['node-1'], terminating: ['node-1'] }, 'node-1'), 'terminating');
});
