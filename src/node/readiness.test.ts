import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { makeCredentialDirectory } from '../../test/kit/credential-directory.ts';
import { openCredentialsStore } from '../credentials/credentials-store.ts';
import type { ExpiringCertificate } from '../credentials/expiry.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { NodeProblems } from './node-problems.ts';
import { type ReadinessParts, readinessOf } from './readiness.ts';

test('a node without a trouble says its state alone', () => {
  assert.deepEqual(readinessOf('ready', parts({})), { ready: true, detail: 'ready' });
  for (const state of ['starting', 'draining'] as const)
    assert.deepEqual(readinessOf(state, parts({})), { ready: false, detail: state });
});

test('a failed reload is said, and the node stays ready on what it had', async t => {
  const problems = new NodeProblems();
  problems.set('members', '/etc/members.toml: node-2.example is listed twice');
  const used = [await usedAs(t, 'server', 'broken'), await usedAs(t, 'profile 1', 'whole')];
  const { ready, detail } = readinessOf('degraded', parts({ problems, used }));
  assert.deepEqual([ready, detail.split('\n')], [true, ['degraded', 'reload_failed members', 'reload_failed server']]);
});

test('a source of members that is not heard is said, and who was removed is not ready', () => {
  const problems = new NodeProblems();
  problems.set('etcd', 'no answer');
  assert.deepEqual(readinessOf('degraded', parts({ problems })), {
    ready: true,
    detail: 'degraded\nmembership_frozen etcd',
  });
  problems.set('etcd', undefined);
  problems.set('membership', 'this node was removed');
  assert.deepEqual(readinessOf('degraded', parts({ problems })), { ready: false, detail: 'degraded\nmember_removed' });
});

test('a node that its own deny list names says so, without the entry', () => {
  const ownDenial = 'dns:node-1.example is the server certificate of this node itself';
  assert.deepEqual(readinessOf('degraded', parts({ ownDenial })), { ready: true, detail: 'degraded\nown_denied' });
});

test('the levels of our own certificates and CAs are said once each, those of peers are not, and no name is', async t => {
  const { own } = (await usedAs(t, 'server', 'whole')).store.snapshot.value;
  const expiring = (['server expired', 'ca notice', 'ca notice', 'client warning', 'peer critical'] as const).map(
    (text): ExpiringCertificate => {
      const [usage = '', level] = text.split(' ');
      return { usage, level: level as ExpiringCertificate['level'], identity: own.identity };
    },
  );
  const { ready, detail } = readinessOf('ready', parts({ expiring }));
  assert.equal(ready, true);
  assert.deepEqual(detail.split('\n'), [
    'ready',
    'certificate_expired server',
    'certificate_expiring ca notice',
    'certificate_expiring client warning',
  ]);
});

function parts({
  problems = new NodeProblems(),
  used = [],
  expiring = [],
  ownDenial,
}: {
  problems?: NodeProblems;
  used?: ReadinessParts['credentials']['used'];
  expiring?: readonly ExpiringCertificate[];
  ownDenial?: string;
}): ReadinessParts {
  return { problems, ownDenial, credentials: { used, expiry: { expiring } } };
}

/** A set of credentials in use whose newest files are as `state` says. */
async function usedAs(t: TestContext, usage: string, state: 'broken' | 'whole') {
  const { spec, write } = await makeCredentialDirectory(t);
  const store = await openCredentialsStore({ spec, refreshIntervalMs: 3_600_000, watch: false, logger: silentLogger });
  t.after(() => store.close());
  if (state === 'broken') {
    await write('node.pem', 'broken');
    await store.reload('admin');
  }
  return { usage, store };
}
