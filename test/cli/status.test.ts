import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Expiring } from '../../src/rpc/control-messages.ts';
import { startFakeNode } from './fake-node.ts';
import { runCtl } from './programs.ts';
import { DAY_MS, NOW, REDACTED, samplePeer, sampleStatus } from './samples.ts';

const HOUR_MS = 3_600_000;

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

test('idle members are counted apart and are nothing to worry about', async t => {
  const peers = [
    samplePeer(),
    ...['node-3', 'node-4'].map(nodeName => samplePeer({ nodeName, state: 'idle', security: '' })),
  ];
  const nodes = [sampleStatus({ peers })];
  const node = await startFakeNode(t, { GetClusterStatus: { nodes, unreachable: [], addressesRedacted: false } });
  const { stdout } = await runCtl(['status', '-s', node.address], { now: NOW });
  const lines = stdout.split('\n').map(columns);
  assert.equal(lines[1]?.[3], '1/1 +2 idle');
  assert.deepEqual(lines[4], ['node-1', '·', 'mutual TLS', 'idle', 'idle']);
});

test('status says why a node is degraded, where it tells', async t => {
  const problems = ['denied-certificates: dns:a is the server certificate of this node itself', 'members: is missing'];
  const nodes = [
    sampleStatus({ state: 'degraded', problems }),
    sampleStatus({ nodeName: 'node-2', state: 'degraded' }),
  ];
  const node = await startFakeNode(t, { GetClusterStatus: { nodes, unreachable: [], addressesRedacted: false } });
  const { stdout } = await runCtl(['status', '-s', node.address], { now: NOW });
  const [headings, first, second] = stdout.split('\n').map(columns);
  assert.equal(headings?.at(-1), 'REASON');
  assert.deepEqual([first?.at(1), first?.at(-1)], ['degraded', problems.join('; ')]);
  assert.deepEqual([second?.at(1), second?.at(-1)], ['degraded', '-']);
});

test('status shows what an operator should look at, below the table, though no node is degraded', async t => {
  const notices = ['node-2 spoke mutual TLS and came back without it', 'the mode is optional since yesterday'];
  const nodes = [sampleStatus({ notices }), sampleStatus({ nodeName: 'node-2' })];
  const responses = {
    GetClusterStatus: { nodes, unreachable: [], addressesRedacted: false },
    GetStatus: sampleStatus({ notices }),
  };
  const node = await startFakeNode(t, responses);
  const { stdout } = await runCtl(['status', '-s', node.address], { now: NOW });
  const table = stdout.slice(stdout.indexOf('NOTICE')).split('\n').map(columns);
  assert.deepEqual(table.slice(1, 3), [
    ['node-1', notices[0]],
    ['node-1', notices[1]],
  ]);
  const one = await runCtl(['status', '--node', '-s', node.address], { now: NOW });
  for (const notice of notices) assert.ok(one.stdout.includes(notice));
  const quiet = await startFakeNode(t, {
    GetClusterStatus: { ...responses.GetClusterStatus, nodes: [sampleStatus()] },
  });
  assert.doesNotMatch((await runCtl(['status', '-s', quiet.address], { now: NOW })).stdout, /NOTICE/);
});

test('status --node says where the list of members comes from, and since when that is not heard', async t => {
  const sources = [
    { kind: 'file', state: 'current', sinceMs: 0, problem: '', members: 1 },
    { kind: 'etcd', state: 'frozen', sinceMs: NOW.getTime() - 180_000, problem: 'no answer', members: 3 },
  ];
  const node = await startFakeNode(t, { GetStatus: sampleStatus({ membershipSources: sources }) });
  const { stdout } = await runCtl(['status', '--node', '-s', node.address], { now: NOW });
  assert.match(stdout, /membership +file, 1 member\n +etcd, 3 members, frozen 3m ago: no answer\n/);
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

const expiring = (given: Partial<Expiring>): Expiring => ({
  usage: 'server',
  subject: 'CN=node-2',
  fingerprintSha256: 'ab'.repeat(32),
  level: 'critical',
  expiresAtMs: NOW.getTime() + 3 * HOUR_MS,
  identity: 'spiffe://dev/fabric/node-2',
  ...given,
});

test('status shows each certificate near its end once, whoever tells of it, the first to end first', async t => {
  const ca = { usage: 'ca', subject: 'CN=dev CA', identity: '', fingerprintSha256: 'cd'.repeat(32), level: 'notice' };
  const expiresAtMs = NOW.getTime() + 20 * DAY_MS;
  const names = ['node-1', 'node-2', 'node-3', 'node-4'];
  const nodes = names.map(nodeName => {
    const seen = expiring({ usage: 'peer' });
    // A member tells of its own certificate without the subject.
    const own = nodeName === 'node-2' ? [expiring({ subject: '', identity: '' })] : nodeName === 'node-1' ? [seen] : [];
    return sampleStatus({ nodeName, expiring: [expiring({ ...ca, expiresAtMs }), ...own] });
  });
  const node = await startFakeNode(t, {
    GetClusterStatus: { nodes, unreachable: [], addressesRedacted: false },
  });
  const { stdout } = await runCtl(['status', '-s', node.address], { now: NOW });
  const lines = stdout.split('\n').map(columns);
  const from = lines.findIndex(([heading]) => heading === 'EXPIRING');
  assert.deepEqual(lines.slice(from), [
    ['EXPIRING', 'LEVEL', 'CERTIFICATE', 'USE', 'FINGERPRINT'],
    ['spiffe://dev/fabric/node-2', 'critical', 'expires in 3h', 'peer of node-1; server of node-2', 'ab'.repeat(8)],
    ['CN=dev CA', 'notice', 'expires in 20d', 'ca of 4 nodes', 'cd'.repeat(8)],
    [''],
  ]);
});

test('status --node shows the certificates near their end that the node knows of', async t => {
  const status = sampleStatus({ expiring: [expiring({ usage: 'peer', level: 'warning' })] });
  const node = await startFakeNode(t, { GetStatus: status });
  const { stdout } = await runCtl(['status', '--node', '-s', node.address], { now: NOW });
  const expected = ['spiffe://dev/fabric/node-2', 'warning', 'expires in 3h', 'peer of node-1', 'ab'.repeat(8)];
  assert.ok(
    stdout.split('\n').some(line => isDeepStrictEqual(columns(line), expected)),
    stdout,
  );
  const json = await runCtl(['status', '--node', '-o', 'json', '-s', node.address]);
  assert.deepEqual(JSON.parse(json.stdout).expiring, [
    {
      usage: 'peer',
      subject: 'CN=node-2',
      fingerprint_sha256: 'ab'.repeat(32),
      level: 'warning',
      expires_at_ms: NOW.getTime() + 3 * HOUR_MS,
      identity: 'spiffe://dev/fabric/node-2',
    },
  ]);
});

test('what other nodes keep back from the one that is asked is said, and who shows it', async t => {
  const kept = { peers: [], connections: null, addressesRedacted: true };
  const nodes = [
    sampleStatus(),
    sampleStatus({ ...kept, nodeName: 'node-2', peersConnected: 'not_all' }),
    sampleStatus({ ...kept, nodeName: 'node-3' }),
    // Of an older version, which tells its peers to everybody.
    sampleStatus({ nodeName: 'node-4', addressesRedacted: true, peersConnected: '' }),
  ];
  const node = await startFakeNode(t, { GetClusterStatus: { nodes, unreachable: [], addressesRedacted: false } });
  const { stdout } = await runCtl(['status', '-s', node.address], { now: NOW });
  const lines = stdout.split('\n').map(columns);
  assert.deepEqual(
    lines.slice(1, 5).map(([name, , , peers]) => [name, peers]),
    [
      ['node-1', '1/1'],
      ['node-2', 'not all'],
      ['node-3', 'all'],
      ['node-4', '1/1'],
    ],
  );
  const from = lines.findIndex(([heading]) => heading === 'SEEN FROM');
  assert.deepEqual(
    lines.slice(from).map(([name]) => name),
    [
      'SEEN FROM',
      'node-1',
      'node-4',
      '',
      'Redacted: other nodes are not told the peers of node-2, node-3; `selvedgectl status --node -s ADDRESS` as admin or observer shows them, with the address of the node.',
      '',
    ],
  );
});

test('what a node keeps back is shown as redacted, in a line below the table or beside the JSON', async t => {
  const kept = [expiring({ subject: '', identity: '' })];
  const status = sampleStatus({
    advertisedAddresses: [],
    peers: [],
    connections: null,
    expiring: kept,
    addressesRedacted: true,
  });
  const node = await startFakeNode(t, {
    GetClusterStatus: { nodes: [status], unreachable: [], addressesRedacted: true },
    GetStatus: status,
  });
  const { stdout } = await runCtl(['status', '-s', node.address], { now: NOW });
  assert.equal(columns(stdout.split('\n')[1] ?? '').at(-1), '(redacted)');
  assert.match(stdout, /^\(redacted\) +critical +expires in 3h +server of node-1 +abab/m);
  assert.match(stdout, REDACTED);
  assert.doesNotMatch(stdout, /SEEN FROM/);
  const alone = await runCtl(['status', '--node', '-s', node.address], { now: NOW });
  for (const expected of [/^peers +all$/m, /^inbound +\(redacted\)$/m, /^outbound +\(redacted\)$/m, REDACTED])
    assert.match(alone.stdout, expected);
  const json = await runCtl(['status', '-o', 'json', '-s', node.address]);
  assert.equal(JSON.parse(json.stdout)[0].addresses_redacted, true);
  assert.match(json.stderr, REDACTED);
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
