import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { callAs } from '../../test/kit/call-as.ts';
import { nodeFacts } from '../../test/kit/node-facts.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import { formatAddress } from '../identity/address.ts';
import type { MembershipChange } from '../membership/membership-editor.ts';
import { clusterControl } from '../rpc/control-messages.ts';
import { callUnary } from '../rpc/service.ts';
import { createClusterControl } from './cluster-control.ts';

const SERVICE = '/selvedge.control.v1.ClusterControl';
const NOTHING_GIVEN = { addresses: [], labels: {}, zone: '' };

test('an addition is handed on with what was given and nothing else, and a weight of 0 is given', async t => {
  const { client, edits } = await start(t);
  const labels = { role: 'worker' };
  const request = { nodeName: 'node-7', addresses: ['node-7.example'], labels, zone: 'eu-1a', weight: 0 };
  assert.deepEqual(await callUnary(client, clusterControl, 'AddNode', request), {
    nodeName: 'node-7',
    membershipState: 'active',
  });
  await callUnary(client, clusterControl, 'AddNode', { nodeName: 'node-8', ...NOTHING_GIVEN });
  const [[first, role, path] = [], [second] = []] = edits;
  assert.ok(first?.kind === 'add');
  const { addresses, ...rest } = first;
  assert.deepEqual(addresses.map(formatAddress), ['node-7.example:5122']);
  assert.deepEqual(rest, { kind: 'add', name: 'node-7', labels, zone: 'eu-1a', weight: 0 });
  assert.deepEqual([role, path], ['local', `${SERVICE}/AddNode`]);
  assert.deepEqual(second, { kind: 'add', name: 'node-8', addresses: [] });
});

test('the other changes name a node, and answer what it is now', async t => {
  const { client, edits } = await start(t);
  const states: string[] = [];
  for (const method of ['DrainNode', 'RemoveNode', 'TerminateNode'] as const)
    states.push((await callUnary(client, clusterControl, method, { nodeName: 'node-7' })).membershipState);
  assert.deepEqual(states, ['draining', 'removed', 'terminating']);
  assert.deepEqual(
    edits.map(([change, , path]) => [change.kind, change.name, path]),
    [
      ['drain', 'node-7', `${SERVICE}/DrainNode`],
      ['remove', 'node-7', `${SERVICE}/RemoveNode`],
      ['terminate', 'node-7', `${SERVICE}/TerminateNode`],
    ],
  );
});

test('mistakes are INVALID_ARGUMENT, all at once, and change nothing', async t => {
  const { client, edits } = await start(t);
  const request = { nodeName: 'Node 7', addresses: ['ftp://x'], labels: { '': 'x' }, zone: '\n', weight: 65_536 };
  await assert.rejects(callUnary(client, clusterControl, 'AddNode', request), error => {
    assert.ok(isServiceError(error));
    assert.equal(error.code, grpc.status.INVALID_ARGUMENT);
    for (const part of [/Node 7/, /ftp/, /Label ""/, /zone/i, /65536/]) assert.match(error.details, part);
    return true;
  });
  for (const method of ['DrainNode', 'RemoveNode', 'TerminateNode'] as const)
    await assert.rejects(callUnary(client, clusterControl, method, { nodeName: '' }), {
      code: grpc.status.INVALID_ARGUMENT,
    });
  assert.deepEqual(edits, []);
});

test('why a change cannot be made reaches the caller, line by line', async t => {
  const message = 'Add these lines to members.toml:\n\n[[member]]\nname = "node-7"';
  const { client } = await start(t, new SelvedgeError('membership_not_writable', message, { source: 'file' }));
  await assert.rejects(callUnary(client, clusterControl, 'AddNode', { nodeName: 'node-7', ...NOTHING_GIVEN }), {
    code: grpc.status.FAILED_PRECONDITION,
    details: message,
  });
});

async function start(t: TestContext, error?: Error) {
  const edits: [MembershipChange, string, string][] = [];
  const node = nodeFacts({
    editMembership: async (change, caller, path) => {
      if (error !== undefined) throw error;
      edits.push([change, [...caller.roles].join(), path]);
    },
  });
  const client = await callAs(t, 'local', server =>
    server.addService(clusterControl.definition, createClusterControl(node)),
  );
  return { client, edits };
}

function isServiceError(error: unknown): error is grpc.ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error;
}
