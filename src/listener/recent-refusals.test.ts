import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import { RecentRefusals, type RefusedCertificate } from './recent-refusals.ts';

const chain = { leafDer: new Uint8Array(1), chain: [], authorizationError: undefined };

function refused(at: number, fingerprint256: string, reason: RefusalReason, host = '10.0.0.1'): RefusedCertificate {
  const remoteAddress = `${host}:${40_000 + at}`;
  return { chain, remoteAddress, reason, identity: peerIdentity({ fingerprint256 }), at: new Date(at) };
}

test('of each certificate the newest refusal is kept, the newest first', () => {
  const refusals = new RecentRefusals();
  refusals.note(refused(1, 'a', 'subject_not_allowed'));
  refusals.note(refused(2, 'b', 'certificate_expired'));
  refusals.note(refused(3, 'a', 'certificate_revoked'));
  assert.deepEqual(
    refusals.all.map(({ identity, reason }) => [identity?.fingerprint256, reason]),
    [
      ['a', 'certificate_revoked'],
      ['b', 'certificate_expired'],
    ],
  );
});

test('strangers displace each other alone, and one host has one place', () => {
  const refusals = new RecentRefusals();
  refusals.note(refused(0, 'known', 'subject_not_allowed'));
  for (let at = 1; at <= 100; at += 1) refusals.note(refused(at, `x${at}`, 'unknown_ca'));
  assert.deepEqual(
    refusals.all.map(({ identity }) => identity?.fingerprint256),
    ['x100', 'known'],
  );
  for (let at = 1; at <= 100; at += 1) refusals.note(refused(at, `y${at}`, 'malformed_certificate', `10.1.0.${at}`));
  assert.equal(refusals.all.length, 33);
  assert.equal(refusals.all.at(-1)?.identity?.fingerprint256, 'known');
});
