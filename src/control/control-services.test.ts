import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { callAs } from '../../test/kit/call-as.ts';
import { connectionMessage, nodeFacts, peerEntry } from '../../test/kit/node-facts.ts';
import { parseAddress } from '../identity/address.ts';
import type { Role } from '../rpc/caller.ts';
import { clusterControl, nodeControl } from '../rpc/control-messages.ts';
import { callUnary } from '../rpc/service.ts';
import { createClusterControl } from './cluster-control.ts';
import { createNodeControl } from './node-control.ts';
import type { NodeFacts } from './node-facts.ts';

const SECRETS = /node-[0-9]\.example|10\.0\.0\.|127\.0\.0\.1|CN=/;
const READING_NODE = ['GetStatus', 'ListConnections', 'GetTlsState', 'CheckMode'] as const;
const READING_CLUSTER = ['GetClusterStatus', 'ListNodes', 'Preflight'] as const;

// `node-2` cannot be reached, which is told in words that hold its address.
const FACTS: Partial<NodeFacts> = {
  peers: () => [
    peerEntry({
      state: 'unreachable',
      detail: 'connect ECONNREFUSED 10.0.0.2:5122',
      addresses: [parseAddress('https://node-2.example')],
    }),
  ],
  connections: () => [connectionMessage({ subject: 'CN=node-3', identity: 'node-3.example' })],
  tls: () => ({ requireClientAuth: true, minVersion: 'TLSv1.3', allowedSubjectNames: ['dns:node-2.example'] }),
};

for (const role of ['peer', 'anonymous'] as const) {
  test(`to ${role} no reading method shows an address, a host name or a subject`, async t => {
    const client = await start(t, role);
    for (const method of READING_NODE) {
      const answer = await callUnary(client, nodeControl, method, { to: 'strict' });
      assert.doesNotMatch(JSON.stringify(answer), SECRETS, method);
      assert.equal(answer.addressesRedacted, true, method);
    }
    for (const method of READING_CLUSTER) {
      const answer = await callUnary(client, clusterControl, method, { to: 'strict' });
      assert.doesNotMatch(JSON.stringify(answer), SECRETS, method);
    }
  });
}

for (const role of ['admin', 'observer', 'local'] as const) {
  test(`to ${role} reading methods show everything`, async t => {
    const client = await start(t, role);
    const status = await callUnary(client, nodeControl, 'GetStatus', {});
    assert.deepEqual(status.peers[0]?.addresses, ['https://node-2.example:5122']);
    assert.equal(status.addressesRedacted, false);
    const { connections } = await callUnary(client, nodeControl, 'ListConnections', {});
    assert.equal(connections[0]?.remoteAddress, '10.0.0.9:40000');
    const tls = await callUnary(client, nodeControl, 'GetTlsState', {});
    assert.deepEqual(tls.allowedSubjectNames, ['dns:node-2.example']);
    const preflight = await callUnary(client, clusterControl, 'Preflight', { to: 'strict' });
    assert.match(preflight.unreachable[0]?.reason ?? '', /127\.0\.0\.1:1/);
  });
}

test('an unknown mode is INVALID_ARGUMENT', async t => {
  const client = await start(t, 'admin');
  await assert.rejects(callUnary(client, nodeControl, 'CheckMode', { to: 'off' }), {
    code: grpc.status.INVALID_ARGUMENT,
  });
});

test('a preflight is not ready while a member does not answer', async t => {
  const client = await start(t, 'admin', { peers: () => [peerEntry({ name: 'node-10' }), peerEntry()] });
  const { ready, nodes, unreachable } = await callUnary(client, clusterControl, 'Preflight', { to: 'optional' });
  assert.equal(ready, false);
  assert.deepEqual(
    nodes.map(node => node.nodeName),
    ['node-1'],
  );
  assert.deepEqual(unreachable.map(node => node.nodeName).toSorted(), ['node-10', 'node-2']);
});

test('nodes are listed with this one, by name and number', async t => {
  const client = await start(t, 'admin', { peers: () => [peerEntry({ name: 'node-10' }), peerEntry()] });
  const { nodes } = await callUnary(client, clusterControl, 'ListNodes', {});
  assert.deepEqual(
    nodes.map(node => node.nodeName),
    ['node-1', 'node-2', 'node-10'],
  );
});

test('changing methods do what they say', async t => {
  let drained = 0;
  const client = await start(t, 'admin', {
    drain: () => {
      drained += 1;
    },
    reloadTls: async () => ({ result: 'failed', problems: ['ca.pem: is empty'], generation: 4 }),
  });
  assert.deepEqual(await callUnary(client, nodeControl, 'ReloadTls', {}), {
    result: 'failed',
    problems: ['ca.pem: is empty'],
    trustGeneration: 4,
  });
  assert.deepEqual(await callUnary(client, nodeControl, 'Drain', {}), { state: 'draining' });
  assert.equal(drained, 1);
});

function start(t: TestContext, role: Role, changes: Partial<NodeFacts> = {}): Promise<grpc.Client> {
  const members = new grpc.Client('127.0.0.1:1', grpc.credentials.createInsecure());
  t.after(() => members.close());
  const facts = nodeFacts({ ...FACTS, askMember: () => members, ...changes });
  return callAs(t, role, server => {
    server.addService(nodeControl.definition, createNodeControl(facts));
    server.addService(clusterControl.definition, createClusterControl(facts));
  });
}
