import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { etcdFailureOf, failureOfStatus } from './etcd-failure.ts';

test('what etcd answers is away, denied or wrong, with its words', () => {
  const expected: readonly [status, string, string, RegExp][] = [
    [status.UNAVAILABLE, 'etcdserver: no leader', 'away', /etcd is away: etcdserver: no leader/],
    [status.UNAVAILABLE, '', 'away', /UNAVAILABLE/],
    [status.DEADLINE_EXCEEDED, 'Deadline exceeded after 5s', 'away', /did not answer in time/],
    [status.INTERNAL, 'Received RST_STREAM with code 2', 'away', /RST_STREAM/],
    [status.PERMISSION_DENIED, 'etcdserver: permission denied', 'denied', /refuses/],
    [status.UNAUTHENTICATED, 'etcdserver: invalid auth token', 'denied', /refuses/],
    [status.INVALID_ARGUMENT, 'etcdserver: user name is empty', 'denied', /user name is empty/],
    [status.FAILED_PRECONDITION, 'etcdserver: user name not found', 'denied', /user name not found/],
    [status.NOT_FOUND, 'etcdserver: requested lease not found', 'wrong', /NOT_FOUND.*lease not found/],
    [status.RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded', 'wrong', /space exceeded/],
  ];
  for (const [code, details, kind, problem] of expected) {
    const failure = failureOfStatus(code, details);
    assert.equal(failure.kind, kind, details);
    assert.match(failure.problem, problem);
    assert.deepEqual(etcdFailureOf(Object.assign(new Error('other words'), { code, details })), failure);
  }
  assert.deepEqual(etcdFailureOf(new TypeError('no\nheader')), { kind: 'wrong', problem: 'no header' });
});
