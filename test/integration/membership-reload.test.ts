import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createAuthority } from '../../src/dev-pki/authority.ts';
import { FabricNode } from '../../src/node/fabric-node.ts';
import type { MembershipOptions } from '../../src/node/membership-options.ts';
import type { FabricNodeOptions } from '../../src/node/node-options.ts';
import { NodeParts } from '../../src/node/node-parts.ts';
import { resolveOrThrow } from '../../src/node/reload-options.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { LOOPBACK_NAMES } from '../kit/bare-grpc.ts';
import { type CredentialDirectory, makeCredentialDirectory } from '../kit/credential-directory.ts';
import { startFakeEtcd } from '../kit/fake-etcd.ts';
import { until } from '../kit/until.ts';

test('a reload that members reject leaves the credentials as they were, and they go on rotating', async t => {
  const { directory, issue, options } = await setUp(t);
  const [used, other] = [await issue(), await issue()];
  const table = (name: string) => `[[member]]\nname = "${name}"\naddress = "127.0.0.1:1"\n`;
  const [both, one] = [join(directory, 'both.toml'), join(directory, 'one.toml')];
  await writeFile(both, table('node-1') + table('node-2'));
  await writeFile(one, table('node-1'));
  const settingsOf = (credentials: CredentialDirectory, membersFile: string) =>
    resolveOrThrow(options(credentials, { source: 'file', membersFile })).settings;
  const parts = await NodeParts.open(settingsOf(used, both), silentLogger, createMetrics(), []);
  t.after(() => parts.closing.close());
  const shown = () => parts.credentials.server.value?.own.identity.fingerprint256;
  const before = shown();
  await assert.rejects(parts.adopt(settingsOf(other, one)), {
    code: 'config_invalid',
    message: /node-2 would be no member any more/,
  });
  assert.equal(shown(), before);
  await used.renew({ commonName: 'node-1', ...LOOPBACK_NAMES });
  await parts.credentials.reload('signal');
  assert.notEqual(shown(), before);
  assert.equal(parts.outbound.value.profiles.at(-1)?.trust.value.own.identity.fingerprint256, shown());
});

test('a member that registers plaintext alone holds no reload up, in strict neither', async t => {
  const { issue, options } = await setUp(t);
  const etcd = await startFakeEtcd(t);
  const credentials = await issue();
  const endpoints = [`http://127.0.0.1:${etcd.port}`];
  const membership: MembershipOptions = {
    source: 'etcd',
    etcd: { endpoints, allowUnguarded: true, leaseTtlMs: 5_000 },
  };
  const node = await FabricNode.start(options(credentials, membership), { logger: silentLogger });
  t.after(() => node.close());
  etcd.write({ '/selvedge/dev/nodes/node-2': { addresses: ['http://127.0.0.1:1'], generation: 1 } });
  await until('it is a member', () => node.members.get('node-2') !== undefined);
  const deniedCertificates = [`sha256:${'ab'.repeat(32)}`];
  const next = options(credentials, membership, { deniedCertificates });
  assert.equal((await node.reload(next)).result, 'ok');
});

test('a node that ends while a source of members is waited for leaves nothing behind in it', async t => {
  const { directory, issue, options } = await setUp(t);
  const etcd = await startFakeEtcd(t);
  const credentials = await issue();
  const membersFile = join(directory, 'members.toml');
  await writeFile(membersFile, '[[member]]\nname = "node-1"\naddress = "127.0.0.1:1"\n');
  const node = await FabricNode.start(options(credentials, { source: 'file', membersFile }), { logger: silentLogger });
  etcd.write({ '/selvedge/dev/holders/node-1': { id: 'somebody else', generation: 9 } });
  const endpoints = [`http://127.0.0.1:${etcd.port}`];
  const both = options(credentials, {
    source: ['file', 'etcd'],
    membersFile,
    etcd: { endpoints, allowUnguarded: true, leaseTtlMs: 60_000 },
  });
  const reload = assert.rejects(node.reload(both), { code: 'node_closed' });
  await until('etcd is read', () => etcd.watches > 0);
  await node.close();
  await reload;
  await until('nobody follows etcd', () => etcd.watches === 0);
});

async function setUp(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-reload-'));
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
  const authority = await createAuthority();
  const issue = () => makeCredentialDirectory(t, { authority, request: { commonName: 'node-1', ...LOOPBACK_NAMES } });
  const options = (
    { files: { certFile, keyFile, caFiles } }: CredentialDirectory,
    membership: MembershipOptions,
    more: { readonly deniedCertificates?: readonly string[] } = {},
  ): FabricNodeOptions => ({
    clusterName: 'dev',
    nodeName: 'node-1',
    dataDir: join(directory, 'data'),
    networking: {
      bindAddress: '127.0.0.1:0',
      tls: { mode: 'strict', certFile, keyFile, caFiles, allowedSubjectNames: ['*'], canary: false, ...more },
    },
    membership,
  });
  return { directory, issue, options };
}
