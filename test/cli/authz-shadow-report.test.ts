import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ShadowReportMessage } from '../../src/rpc/control-messages.ts';
import { startFakeNode } from './fake-node.ts';
import { runCtl } from './programs.ts';
import { DAY_MS, MINUTE_MS, NOW } from './samples.ts';

const QUIET: ShadowReportMessage = {
  nodeName: 'node-1',
  policy: 'shop-2',
  sinceMs: NOW.getTime() - 3 * DAY_MS,
  calls: 48_210,
  wouldDeny: 0,
  wouldAllow: 0,
  divergences: [],
  overflow: 0,
};
const DENYING: ShadowReportMessage = {
  ...QUIET,
  wouldDeny: 12,
  overflow: 2,
  divergences: [
    {
      principal: 'spiffe://prod/shop/\u001b[31mbilling',
      method: '/acme.shop.v1.Orders/Place',
      decision: 'would_deny',
      rule: '',
      count: 10,
      firstAtMs: NOW.getTime() - DAY_MS,
      lastAtMs: NOW.getTime() - 5 * MINUTE_MS,
    },
  ],
};

test('that nothing would be denied is told with what it rests on', async t => {
  const node = await startFakeNode(t, { GetShadowReport: QUIET });
  const { stdout, exitCode } = await runCtl(['authz', 'shadow-report', '-s', node.address], { now: NOW });
  assert.equal(exitCode, 0);
  assert.match(stdout, /^shadow policy +shop-2$/m);
  assert.match(stdout, /^since +2029-12-29T00:00:00\.000Z \(3d ago\)$/m);
  assert.match(stdout, /^calls +48210$/m);
  assert.match(stdout, /^would deny +0$/m);
  assert.doesNotMatch(stdout, /DECISION|not listed/);
});

test('what would be denied is a line each, with what found no room, and safe to print', async t => {
  const node = await startFakeNode(t, { GetShadowReport: DENYING });
  const { stdout } = await runCtl(['authz', 'shadow-report', '-s', node.address], { now: NOW });
  assert.match(stdout, /^not listed +2$/m);
  assert.match(stdout, /^would_deny +spiffe:.*billing +\/acme\.shop\.v1\.Orders\/Place +- +10 +1d ago +5m ago$/m);
  assert.ok(!stdout.includes('\u001b'));
  const json = JSON.parse((await runCtl(['authz', 'shadow-report', '-s', node.address, '-o', 'json'])).stdout);
  assert.deepEqual([json.calls, json.would_deny, json.divergences[0].count], [48_210, 12, 10]);
});

test('without a shadow policy it says so', async t => {
  const node = await startFakeNode(t, { GetShadowReport: { ...QUIET, policy: '' } });
  const { stdout } = await runCtl(['authz', 'shadow-report', '-s', node.address]);
  assert.match(stdout, /no policy is tried out: authorization\.shadow-policy-file is not set/);
});
