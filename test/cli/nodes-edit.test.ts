import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { startFakeNode } from './fake-node.ts';
import { runCtl } from './programs.ts';

const answer = (membershipState: string) => ({ nodeName: 'node-7', membershipState });
const NOTHING_GIVEN = { addresses: [], labels: {}, zone: '' };

test('nodes add sends what was given, and a weight of 0 is given', async t => {
  const node = await startFakeNode(t, { AddNode: answer('active') });
  const addresses = ['--node-address', 'https://node-7.example:5122', '--node-address', '10.0.0.7:5122'];
  const labels = ['--label', 'role=worker', '--label', 'note=a=b'];
  const args = [...addresses, ...labels, '--zone', 'eu-1a', '--weight', '0'];
  const { stdout, exitCode } = await runCtl(['nodes', 'add', 'node-7', ...args, '-s', node.address]);
  assert.deepEqual([stdout, exitCode], ['node-7: active\n', 0]);
  await runCtl(['nodes', 'add', 'node-7', '-s', node.address]);
  assert.deepEqual(
    node.calls.map(([method, request]) => [method, JSON.parse(JSON.stringify(request, withoutVirtual))]),
    [
      [
        'AddNode',
        {
          nodeName: 'node-7',
          addresses: ['https://node-7.example:5122', '10.0.0.7:5122'],
          labels: { role: 'worker', note: 'a=b' },
          zone: 'eu-1a',
          weight: 0,
        },
      ],
      ['AddNode', { nodeName: 'node-7', ...NOTHING_GIVEN }],
    ],
  );
});

test('nodes drain, remove and terminate name the node and say what it is now, in JSON too', async t => {
  const node = await startFakeNode(t, {
    DrainNode: answer('draining'),
    RemoveNode: answer('removed'),
    TerminateNode: answer('terminating'),
  });
  for (const [command, method, state] of [
    ['drain', 'DrainNode', 'draining'],
    ['remove', 'RemoveNode', 'removed'],
    ['terminate', 'TerminateNode', 'terminating'],
  ] as const) {
    const { stdout } = await runCtl(['nodes', command, 'node-7', '-s', node.address]);
    assert.equal(stdout, `node-7: ${state}\n`);
    const json = await runCtl(['nodes', command, 'node-7', '-o', 'json', '-s', node.address]);
    assert.deepEqual(JSON.parse(json.stdout), { node_name: 'node-7', membership_state: state });
    const last = node.calls.at(-1);
    assert.deepEqual([last?.[0], { ...last?.[1] }], [method, { nodeName: 'node-7' }]);
  }
});

test('where a file is the source, what to edit is printed as it is to stand there, and it exits 1', async t => {
  const lines = ['Add these lines to members.toml on every node:', '', '[[member]]', `name = "${'x'.repeat(600)}"`];
  const node = await startFakeNode(t, {
    AddNode: { code: grpc.status.FAILED_PRECONDITION, details: `${lines.join('\n')}\u001b[2J` },
  });
  const { stdout, stderr, exitCode } = await runCtl(['nodes', 'add', 'node-7', '-s', node.address]);
  assert.deepEqual([stdout, exitCode], ['', 1]);
  assert.equal(stderr, `selvedgectl: ${lines.join('\n')}\\u001b[2J\n`);
});

test('a node that is no member is said to be none', async t => {
  const details = 'members.toml lists no member node-7';
  const node = await startFakeNode(t, { DrainNode: { code: grpc.status.NOT_FOUND, details } });
  const { stderr, exitCode } = await runCtl(['nodes', 'drain', 'node-7', '-s', node.address]);
  assert.deepEqual([stderr, exitCode], [`selvedgectl: ${details}\n`, 1]);
});

test('who may not change members is told which role it needs', async t => {
  const node = await startFakeNode(t, {
    TerminateNode: { code: grpc.status.PERMISSION_DENIED, details: 'permission denied' },
  });
  const { stderr, exitCode } = await runCtl(['nodes', 'terminate', 'node-7', '-s', node.address]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /permission denied for .*TerminateNode\. It needs the role admin\./);
});

test('what is wrong with a change exits 2, all at once, and asks nobody', async t => {
  const node = await startFakeNode(t, { AddNode: answer('active') });
  const all = ['nodes', 'add', 'Node 7', '--node-address', 'ftp://x', '--zone', 'x'.repeat(129), '--weight', '65536'];
  const { stderr, exitCode } = await runCtl([...all, '-s', node.address]);
  assert.equal(exitCode, 2);
  for (const part of [/Node 7/, /ftp/, /zone/i, /65536/]) assert.match(stderr, part);
  const mistakes: readonly (readonly string[])[] = [
    ['add'],
    ['add', 'node-7', '--weight', '-1'],
    ['add', 'node-7', '--weight', '1.5'],
    ['add', 'node-7', '--label', 'role'],
    ['add', 'node-7', '--label', 'role=a', '--label', 'role=b'],
    ['drain', 'node 7'],
    ['remove', ''],
    ['terminate', 'node-7', 'node-8'],
  ];
  for (const words of mistakes)
    assert.equal((await runCtl(['nodes', ...words, '-s', node.address])).exitCode, 2, words.join(' '));
  assert.deepEqual(node.calls, []);
});

test('what only the node can find wrong exits 2, too', async t => {
  const details = 'members.toml needs an address of node-7.';
  const node = await startFakeNode(t, { AddNode: { code: grpc.status.INVALID_ARGUMENT, details } });
  const { stderr, exitCode } = await runCtl(['nodes', 'add', 'node-7', '-s', node.address]);
  assert.deepEqual([stderr, exitCode], [`selvedgectl: ${details}\n`, 2]);
});

/** `_weight`, which the protobuf runtime adds for a field that may be left out. */
function withoutVirtual(key: string, value: unknown): unknown {
  return key.startsWith('_') ? undefined : value;
}
