import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import type { ExpiryLevel } from '../credentials/expiry.ts';
import { NodeProblems } from './node-problems.ts';
import { statusProblems } from './status-problems.ts';

test('an own certificate that has expired is a problem; one that will, and those of others, are none', () => {
  const ends = (usage: string, level: ExpiryLevel) => ({ usage, level, identity: peerIdentity({}) });
  const under = (...expiring: ReturnType<typeof ends>[]) =>
    statusProblems({
      problems: new NodeProblems(),
      ownDenial: undefined,
      credentials: { used: [], expiry: { expiring } },
    });
  assert.deepEqual(under(ends('ca', 'expired'), ends('peer', 'expired'), ends('server', 'critical')), []);
  assert.deepEqual(under(ends('client', 'expired')), ['the client certificate of this node has expired']);
});

test('files that could not be taken and an own denial are problems', () => {
  const problems = new NodeProblems();
  problems.set('members', 'it is empty');
  const credentials = { used: [], expiry: { expiring: [] } };
  assert.deepEqual(statusProblems({ problems, ownDenial: 'it is ours', credentials }), [
    'members: it is empty',
    'denied-certificates: it is ours',
  ]);
});
