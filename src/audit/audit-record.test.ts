import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerWith } from '../../test/kit/call-as.ts';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import { recordOfCall, recordOfEdit, recordOfGap, recordOfRefusal } from './audit-record.ts';

const ORIGIN = { nodeName: 'node-1', nodeGeneration: 7, trustGeneration: 3 };
const AT_MS = Date.parse('2026-11-26T01:02:03.004Z');
const ADMIN = peerIdentity({ uris: ['spiffe://dev/admin/ann'], spiffeId: 'spiffe://dev/admin/ann' });

test('a call has the fields of gRFC A59 under their names, and where and when it was decided', () => {
  const caller = { ...callerWith('peer', 'admin'), connectionId: 9, remoteAddress: '10.0.0.7:4711', identity: ADMIN };
  const decision = { allowed: true, policy: 'built-in', rule: 'changing' };
  assert.deepEqual(recordOfCall(caller, '/selvedge.control.v1.NodeControl/Drain', decision, ORIGIN, AT_MS), {
    timestamp: '2026-11-26T01:02:03.004Z',
    kind: 'call',
    rpc_method: '/selvedge.control.v1.NodeControl/Drain',
    principal: 'spiffe://dev/admin/ann',
    policy_name: 'built-in',
    matched_rule: 'changing',
    authorized: true,
    roles: ['peer', 'admin'],
    connection_id: 9,
    remote_address: '10.0.0.7:4711',
    certificate_fingerprint: '0'.repeat(64),
    node: 'node-1',
    node_generation: 7,
    trust_generation: 3,
  });
});

test('who shows no certificate is its role, and has no fingerprint', () => {
  const decision = { allowed: false, policy: 'built-in', rule: '' };
  const record = recordOfCall(callerWith('anonymous'), '/acme.Shop/Buy', decision, ORIGIN, AT_MS);
  assert.equal(record.principal, 'role:anonymous');
  assert.equal('certificate_fingerprint' in record, false);
  assert.deepEqual(record.roles, ['anonymous']);
});

test('a change of members says what was given, and nothing of what was not', () => {
  const caller = { ...callerWith('admin'), connectionId: 9, remoteAddress: '10.0.0.7:4711', identity: ADMIN };
  const method = '/selvedge.control.v1.ClusterControl/AddNode';
  const given = { addresses: ['https://node-7.example:5122'], labels: { role: 'a\u0007' }, zone: 'eu-1a', weight: 0 };
  assert.deepEqual(recordOfEdit(caller, method, { change: 'add', member: 'node-7', ...given }, '', ORIGIN, AT_MS), {
    timestamp: '2026-11-26T01:02:03.004Z',
    kind: 'membership',
    rpc_method: method,
    principal: 'spiffe://dev/admin/ann',
    authorized: true,
    change: 'add',
    member: 'node-7',
    addresses: ['https://node-7.example:5122'],
    labels: { role: 'a\\u0007' },
    zone: 'eu-1a',
    weight: 0,
    error: '',
    connection_id: 9,
    remote_address: '10.0.0.7:4711',
    certificate_fingerprint: '0'.repeat(64),
    node: 'node-1',
    node_generation: 7,
    trust_generation: 3,
  });
  const failed = recordOfEdit(
    callerWith('local'),
    method,
    { change: 'drain', member: 'node-7' },
    'member_unknown',
    ORIGIN,
    AT_MS,
  );
  assert.equal(failed.error, 'member_unknown');
  for (const field of ['addresses', 'labels', 'zone', 'weight']) assert.equal(field in failed, false, field);
});

test('a refusal has no method, its reason, and what the peer said in a form that is safe to print', () => {
  const record = recordOfRefusal(
    {
      direction: 'inbound',
      remoteAddress: '[::1]:5',
      connectionId: 4,
      claimedNode: 'node-2',
      reason: 'cluster_mismatch',
      detail: `of the cluster "\u001b[31m${'x'.repeat(1_000)}`,
      identity: ADMIN,
    },
    ORIGIN,
    AT_MS,
  );
  const { kind, rpc_method, principal, authorized, reason, direction, claimed_node, connection_id, detail } = record;
  assert.deepEqual(
    [kind, rpc_method, principal, authorized, reason, direction, claimed_node, connection_id],
    ['connection', '', 'spiffe://dev/admin/ann', false, 'cluster_mismatch', 'inbound', 'node-2', 4],
  );
  assert.match(detail, /^of the cluster "\\u001b\[31mx+…$/);
  assert.ok(detail.length < 250);
});

test('the certificate of a stranger gives no principal, only its fingerprint', () => {
  const facts = { direction: 'inbound', remoteAddress: '127.0.0.1:5', detail: '' } as const;
  const record = recordOfRefusal({ ...facts, reason: 'unknown_ca', identity: ADMIN }, ORIGIN, AT_MS);
  assert.equal(record.principal, '');
  assert.equal(record.certificate_fingerprint, '0'.repeat(64));
});

test('a gap says since when and how many', () => {
  const gap = recordOfGap({ dropped: 5, logged: 0, sinceMs: AT_MS }, ORIGIN, AT_MS + 1_000);
  assert.deepEqual(gap, {
    timestamp: '2026-11-26T01:02:04.004Z',
    kind: 'gap',
    since: '2026-11-26T01:02:03.004Z',
    dropped: 5,
    logged: 0,
    node: 'node-1',
    node_generation: 7,
  });
});
