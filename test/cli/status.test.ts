import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFakeNode } from './fake-node.ts';
import { runCtl } from './programs.ts';
import { NOW, samplePeer, sampleStatus } from './samples.ts';

test('status shows one line a node, why a member did not answer, and how each node is connected to each other', async t => {
  const cluster = {
    nodes: [
      sampleStatus(),
      sampleStatus({ nodeName: 'node-2', peers: [samplePeer({ nodeName: 'node-1', state: 'refused' })] }),
    ],
    unreachable: [{ nodeName: 'node-3', reason: 'nothing listens there' }],
    addressesRedacted: false,
  };
  const node = await startFakeNode(t, { GetClusterStatus: cluster });
  const { stdout, stderr, exitCode } = await runCtl(['status', '-s', node.address], { now: NOW });
  assert.equal(exitCode, 0);
  assert.equal(stderr, '');
  assert.deepEqual(stdout.split('\n').map(columns), [
    ['NODE', 'STATE', 'MODE', 'PEERS', 'CERTIFICATE', 'STARTED', 'VERSION', 'ADDRESSES', 'REASON'],
    ['node-1', 'ready', 'strict', '1/1', 'expires in 29d', '5m ago', '0.1.0', 'https://node-1.example:5122', '-'],
    ['node-2', 'ready', 'strict', '0/1', 'expires in 29d', '5m ago', '0.1.0', 'https://node-1.example:5122', '-'],
    ['node-3', 'unreachable', '-', '-', '-', '-', '-', '-', 'nothing listens there'],
    [''],
    ['SEEN FROM', 'node-1', 'node-2'],
    ['node-1', '·', 'mutual TLS'],
    ['node-2', 'refused', '·'],
    [''],
  ]);
});

test('status -o json is an array of nodes with the names of the proto fields', async t => {
  const cluster = {
    nodes: [sampleStatus({ labels: { someKey: 'x' } })],
    unreachable: [{ nodeName: 'node-3', reason: 'silent' }],
    addressesRedacted: false,
  };
  const node = await startFakeNode(t, { GetClusterStatus: cluster });
  const { stdout } = await runCtl(['-o', 'json', '-s', node.address, 'status']);
  const [first, second] = JSON.parse(stdout);
  assert.equal(first.node_name, 'node-1');
  assert.equal(first.addresses_redacted, false);
  assert.equal(first.connections.inbound_mutual_tls, 1);
  assert.deepEqual(first.labels, { someKey: 'x' });
  assert.deepEqual(second, { node_name: 'node-3', state: 'unreachable', reason: 'silent' });
});

test('status --node shows the node that is asked, its connections and its peers', async t => {
  const node = await startFakeNode(t, { GetStatus: sampleStatus() });
  const { stdout } = await runCtl(['status', '--node', '--address', node.address], { now: NOW });
  const lines = stdout.split('\n').map(columns);
  assert.deepEqual(lines[0], ['node', 'node-1 of cluster dev']);
  assert.ok(
    lines.some(([name, value]) => name === 'inbound' && value === '2 connections: 1 mutual_tls, 0 tls, 1 none'),
  );
  assert.ok(lines.some(([name, value]) => name === 'labels' && value === 'role=worker,zone=a'));
  assert.ok(lines.some(([name, state]) => name === 'node-2' && state === 'connected'));
});

test('what a node keeps back is shown as redacted', async t => {
  const status = sampleStatus({ advertisedAddresses: [], addressesRedacted: true });
  const node = await startFakeNode(t, {
    GetClusterStatus: { nodes: [status], unreachable: [], addressesRedacted: true },
  });
  const { stdout } = await runCtl(['status', '-s', node.address], { now: NOW });
  assert.equal(columns(stdout.split('\n')[1] ?? '').at(-1), '(redacted)');
});

test('the text of a peer cannot write control sequences to the terminal', async t => {
  const status = sampleStatus({ nodeName: '\u001b[2Jevil\nnode' });
  const node = await startFakeNode(t, {
    GetClusterStatus: { nodes: [status], unreachable: [], addressesRedacted: false },
  });
  const { stdout } = await runCtl(['status', '-s', node.address], { now: NOW });
  assert.ok(!stdout.includes('\u001b'));
  // Two tables of two lines and an empty one between them.
  assert.equal(stdout.trimEnd().split('\n').length, 5);
});

function columns(line: string): string[] {
  return line.split(/ {3,}/);
}
