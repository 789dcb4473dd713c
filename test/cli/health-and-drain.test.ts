import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFakeNode } from './fake-node.ts';
import { runCtl } from './programs.ts';

test('health of a node that serves exits 0', async t => {
  const node = await startFakeNode(t, { Check: { status: 'SERVING' } });
  const { stdout, exitCode } = await runCtl(['health', '-s', node.address]);
  assert.equal(exitCode, 0);
  assert.match(stdout, /\(node\) +SERVING/);
});

test('health of a node that does not serve exits 3', async t => {
  const node = await startFakeNode(t, { Check: { status: 'NOT_SERVING' } });
  const { stdout, exitCode } = await runCtl(['health', '-s', node.address, '--service', 'a.B', '-o', 'json']);
  assert.equal(exitCode, 3);
  assert.deepEqual(JSON.parse(stdout), { service: 'a.B', status: 'NOT_SERVING' });
  assert.deepEqual(node.calls, [['Check', { service: 'a.B' }]]);
});

test('drain asks nothing and prints the state', async t => {
  const node = await startFakeNode(t, { Drain: { state: 'draining' } });
  const { stdout, exitCode } = await runCtl(['drain', '-s', node.address]);
  assert.deepEqual({ stdout, exitCode }, { stdout: 'draining\n', exitCode: 0 });
});
