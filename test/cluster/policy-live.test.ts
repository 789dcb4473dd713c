import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { isSelvedgeError } from '../../src/errors/selvedge-error.ts';
import { writeFileAtomic } from '../../src/lifecycle/atomic-write.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import type { AuthorizationOptions, FabricNodeOptions } from '../../src/node/node-options.ts';
import { nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { runCtl } from '../cli/programs.ts';
import { createSslClient } from '../kit/bare-grpc.ts';
import { openChat } from '../kit/chat.ts';
import { echo, echoDefinition, echoImplementation, whoAmI } from '../kit/echo-service.ts';
import type { LogLine } from '../kit/fabric-pair.ts';
import { until } from '../kit/until.ts';
import { askLocally, fabricPort, TestCluster } from './test-cluster.ts';

const { PERMISSION_DENIED, UNAVAILABLE } = grpc.status;
const WEB = 'spiffe://dev/fabric/web';
const BATCH = 'spiffe://dev/fabric/batch';

const allowing = (name: string, principals: readonly string[], paths: readonly string[], more: object = {}): string =>
  JSON.stringify({ name, allow_rules: [{ name: 'only', source: { principals }, request: { paths } }], ...more });

test('a policy decides on the services of the application, and follows its file', async t => {
  const { cluster, node, log, exposed, clientOf, reload } = await startNode(t);
  const policy = cluster.path('policy.json');
  const [web, batch] = await Promise.all([clientOf(WEB), clientOf(BATCH)]);
  const denied = { code: PERMISSION_DENIED, details: 'permission denied' };

  await t.test('each caller makes the calls that a rule allows, and no other', async () => {
    assert.equal(await echo(web, 'a'), 'a');
    await assert.rejects(echo(batch, 'a'), denied);
    await assert.rejects(whoAmI(web), denied);
    // A service of the node itself is not for the policy to allow or to forget.
    assert.equal((await callUnary(batch, nodeControl, 'GetStatus', {})).nodeName, 'node-1');
    await assert.rejects(callUnary(batch, nodeControl, 'GetShadowReport', {}), denied);
  });

  await t.test('a change holds for calls and streams that are open', async () => {
    await writeFileAtomic(policy, allowing('two', [WEB, BATCH], ['/test.Echo/*']), 0o600);
    await until('the new policy holds', async () => (await tryEcho(batch)) === 'ok');
    const [ofWeb, ofBatch] = [openChat(web), openChat(batch)];
    await Promise.all([ofWeb.says('hello'), ofBatch.says('hello')]);
    await writeFileAtomic(policy, allowing('three', [WEB], ['/test.Echo/*']), 0o600);
    const { code, details } = await ofBatch.ended;
    assert.equal(code, UNAVAILABLE);
    assert.match(details, /subject_not_allowed/);
    await assert.rejects(echo(batch, 'a'), denied);
    await ofWeb.says('still here');
    ofWeb.call.end();
  });

  await t.test('a broken file leaves the last good policy, and says so once, with every place', async () => {
    const before = log.length;
    await writeFileAtomic(
      policy,
      '{"name": "", "allow_rules": [{"name": "x", "request": {"paths": ["/test.Ecko/*"]}}]}',
      0o600,
    );
    const failed = () => log.slice(before).filter(line => line.event === 'authorization.policy_reload_failed');
    await until('it is told', () => failed().length > 0);
    const [{ problems = [], which } = {}] = failed() as readonly {
      problems?: readonly { place: string }[];
      which?: string;
    }[];
    assert.equal(which, 'policy');
    assert.deepEqual(
      problems.map(({ place }) => place.slice(place.lastIndexOf('policy.json'))),
      ['policy.json:1:10', 'policy.json:1:66'],
    );
    assert.equal(await echo(web, 'a'), 'a');
    await assert.rejects(echo(batch, 'a'), denied);
    const status = await askLocally(node, 'GetStatus');
    assert.equal(status.state, 'degraded');
    assert.match(status.problems.join('\n'), /^policy: .*policy\.json:1:10: name: This is empty/m);
    assert.match(await exposed(), /policy_reload_total\{file="policy",result="failed"\} 1$/m);
    await writeFileAtomic(policy, allowing('four', [BATCH], ['/test.Echo/Echo']), 0o600);
    await until('it is good again', async () => (await askLocally(node, 'GetStatus')).state === 'ready');
    assert.equal(await tryEcho(batch), 'ok');
    assert.equal(failed().length, 1);
  });

  await t.test('a configuration that names a bad policy is rejected as a whole', async () => {
    await writeFile(cluster.path('bad.json'), '{}');
    await assert.rejects(reload({ policyFile: cluster.path('bad.json') }), error => {
      assert.ok(isSelvedgeError(error, 'config_invalid'));
      return error.facts.problems.length === 2;
    });
    await assert.rejects(echo(web, 'a'), denied);
  });

  await t.test('without a policy the built-in rules hold again', async () => {
    await reload({});
    assert.equal(await tryEcho(web), 'ok');
    assert.equal(await tryEcho(batch), 'ok');
  });
});

test('a shadow policy changes nothing, and reports what it would change since it is watched', async t => {
  const { cluster, node, exposed, clientOf, reload } = await startNode(t);
  const shadow = cluster.path('shadow.json');
  const ctl = async (...args: readonly string[]) =>
    (await runCtl(['authz', 'shadow-report', '-s', node.ready.admin, ...args])).stdout;
  assert.match(await ctl(), /^no policy is tried out/);

  await writeFile(shadow, allowing('next', [BATCH], ['/test.Echo/Echo']));
  await reload({ policyFile: cluster.path('policy.json'), shadowPolicyFile: shadow });
  const [web, batch] = await Promise.all([clientOf(WEB), clientOf(BATCH)]);
  for (let call = 0; call < 3; call++) assert.equal(await echo(web, 'a'), 'a');
  assert.equal(await tryEcho(batch), 'denied');

  const { divergences, ...totals } = await askLocally(node, 'GetShadowReport');
  assert.deepEqual(
    divergences.map(({ principal, method, decision, rule, count }) => [decision, principal, method, rule, count]),
    [
      ['would_deny', WEB, '/test.Echo/Echo', '', 3],
      ['would_allow', BATCH, '/test.Echo/Echo', 'only', 1],
    ],
  );
  assert.deepEqual([totals.policy, totals.wouldDeny, totals.wouldAllow, totals.overflow], ['next', 3, 1, 0]);
  assert.ok(totals.calls >= 4, 'calls that both decide alike are counted too');
  assert.ok(totals.sinceMs > 0 && totals.sinceMs <= (divergences[0]?.firstAtMs ?? 0));

  const table = await ctl();
  assert.match(table, /^shadow policy +next$/m);
  assert.match(table, /^would deny +3$/m);
  assert.match(table, /^would_deny +spiffe:\/\/dev\/fabric\/web +\/test\.Echo\/Echo +- +3 /m);
  assert.equal(JSON.parse(await ctl('-o', 'json')).divergences[1].decision, 'would_allow');

  const metrics = await exposed();
  assert.match(metrics, /shadow_total\{service="test\.Echo",decision="would_deny"\} 3$/m);
  assert.match(metrics, /shadow_total\{service="test\.Echo",decision="would_allow"\} 1$/m);
  assert.doesNotMatch(metrics, /spiffe/);

  await writeFileAtomic(shadow, allowing('next-2', [WEB], ['/test.Echo/Echo']), 0o600);
  await until('the report begins anew', async () => (await askLocally(node, 'GetShadowReport')).policy === 'next-2');
  await echo(web, 'a');
  const anew = await askLocally(node, 'GetShadowReport');
  assert.deepEqual([anew.divergences.length, anew.wouldDeny], [0, 0]);
  assert.ok(anew.calls > 0 && anew.sinceMs > totals.sinceMs);
});

test('a daemon takes denials from a file, follows it, and does not start on a bad one', async t => {
  const cluster = await TestCluster.make(t);
  const policy = cluster.path('policy.json');
  const authorization = { 'admin-subject-names': ['uri:spiffe://dev/admin/*'], 'policy-file': 'policy.json' };
  const denying = (principal: string) =>
    JSON.stringify({
      name: 'ops',
      deny_rules: [{ name: 'interns', source: { principals: [principal] }, request: { paths: ['*/ReloadTls'] } }],
      allow_rules: [],
    });

  await t.test('a bad one is exit 78, with every problem and its place', async () => {
    await writeFile(policy, '{"name": "ops", "deny_rules": [{"name": "x", "source": {"principals": ["role:root"]}}]}');
    await cluster.issue('node-1');
    await cluster.writeConfig('node-1', { top: { authorization } });
    const daemon = cluster.spawn('node-1');
    assert.equal(await daemon.exited, 78);
    assert.match(daemon.stderr, /policy\.json:1:72: deny_rules\[0\]\.source\.principals\[0\]: "root" is no role/);
    assert.match(daemon.stderr, /policy\.json:1:1: allow_rules: This is missing/);
  });

  await writeFile(policy, denying('spiffe://dev/admin/ann'));
  const daemon = await cluster.start('node-1', { top: { authorization } });
  const adminOf = (name: string) =>
    createSslClient(t, fabricPort(daemon), cluster.store.authority.anchorsPem, cluster.store.authority, {
      commonName: name,
      uris: [`spiffe://dev/admin/${name}`],
      usage: 'client',
    });
  const [ann, bob] = await Promise.all([adminOf('ann'), adminOf('bob')]);
  await assert.rejects(callUnary(ann, nodeControl, 'ReloadTls', {}), { code: PERMISSION_DENIED });
  assert.equal((await callUnary(bob, nodeControl, 'ReloadTls', {})).result, 'unchanged');
  assert.equal((await callUnary(ann, nodeControl, 'GetShadowReport', {})).policy, '');

  await writeFileAtomic(policy, denying('spiffe://dev/admin/bob'), 0o600);
  await daemon.waitFor('authorization.policy_reloaded');
  await assert.rejects(callUnary(bob, nodeControl, 'ReloadTls', {}), { code: PERMISSION_DENIED });
  assert.equal((await callUnary(ann, nodeControl, 'ReloadTls', {})).result, 'unchanged');
});

/** A strict node in this process that serves the echo service, with a policy under which only `web` may call Echo. */
async function startNode(t: TestContext) {
  const cluster = await TestCluster.make(t);
  const { networking = {}, ...rest } = await cluster.nodeOptions('node-1', 'strict', [['node-1', '127.0.0.1:1']]);
  const options: FabricNodeOptions = {
    ...rest,
    networking: { ...networking, tls: { ...networking.tls, withdrawalGraceMs: 50 } },
  };
  const policyFile = cluster.path('policy.json');
  await writeFile(policyFile, allowing('one', [WEB], ['/test.Echo/Echo']));
  const log: LogLine[] = [];
  const metrics = createMetrics();
  const node = await FabricNode.start(
    { ...options, authorization: { policyFile } },
    {
      logger: createLogger({ level: 'debug', write: line => log.push(JSON.parse(line)) }),
      metrics,
      services: [{ definition: echoDefinition, implementation: echoImplementation }],
    },
  );
  t.after(() => node.close());
  const { authority } = cluster.store;
  return {
    cluster,
    node,
    log,
    exposed: () => metrics.expose(),
    reload: (authorization: AuthorizationOptions) => node.reload({ ...options, authorization }),
    clientOf: (uri: string) =>
      createSslClient(t, fabricPort(node), authority.anchorsPem, authority, { commonName: 'x', uris: [uri] }),
  };
}

async function tryEcho(client: grpc.Client): Promise<'ok' | 'denied'> {
  try {
    await echo(client, 'a');
    return 'ok';
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === PERMISSION_DENIED) return 'denied';
    throw error;
  }
}
