import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Member } from '../membership/member.ts';
import { ownMembership } from './own-membership.ts';

const SETTINGS = { nodeName: 'node-1', labels: { role: 'worker' }, zone: 'eu-1a', weight: 3 };
const MEMBER: Member = { name: 'node-1', addresses: [], labels: {} };

test('what the membership source says of this node counts before its settings', () => {
  const facts = (member: Member) => ownMembership({ members: [member], removed: [] }, SETTINGS);
  assert.deepEqual(facts(MEMBER), {
    membershipState: 'active',
    labels: { role: 'worker' },
    zone: 'eu-1a',
    weight: 3,
  });
  assert.deepEqual(
    facts({ ...MEMBER, labels: { tier: 'spare', role: 'x' }, zone: 'eu-1b', weight: 0, isDraining: true }),
    {
      membershipState: 'draining',
      labels: { tier: 'spare', role: 'x' },
      zone: 'eu-1b',
      weight: 0,
    },
  );
});

test('a node that is not listed, or was removed, says so', () => {
  const state = (removed: readonly string[], terminating: readonly string[] = []) =>
    ownMembership({ members: [{ ...MEMBER, name: 'node-2' }], removed, terminating }, SETTINGS).membershipState;
  assert.deepEqual(
    [state([]), state(['node-1']), state(['node-1'], ['node-1'])],
    ['unlisted', 'removed', 'terminating'],
  );
});
