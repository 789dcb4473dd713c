import assert from 'node:assert/strict';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAuthority } from '../../src/dev-pki/authority.ts';
import { type ConfiguredNode, makeConfiguredNode } from './configured-node.ts';
import { runCtl } from './programs.ts';

test('tls explain says of each certificate whether it is admitted, as what, by which name', async t => {
  const node = await makeConfiguredNode(t);
  const { certFile: admin } = await node.store.issueAdmin({ adminName: 'alice' });
  const member = node.path('certs/node-1.pem');
  const { stdout, exitCode } = await explain(node, [member, admin]);
  assert.equal(exitCode, 0);
  assert.deepEqual(JSON.parse(stdout).map(promised), [
    {
      cert: member,
      admitted: true,
      roles: ['peer'],
      matched: { pattern: 'uri:spiffe://dev/fabric/*', kind: 'uri', value: 'spiffe://dev/fabric/node-1' },
      reason: null,
      detail: '"uri:spiffe://dev/fabric/*" matches the uri name "spiffe://dev/fabric/node-1"',
    },
    {
      cert: admin,
      admitted: true,
      roles: ['admin'],
      matched: { pattern: 'uri:spiffe://dev/admin/*', kind: 'uri', value: 'spiffe://dev/admin/alice' },
      reason: null,
      detail: '"uri:spiffe://dev/admin/*" matches the uri name "spiffe://dev/admin/alice"',
    },
  ]);
});

test('tls explain exits 3 with a reason code when any certificate is not admitted', async t => {
  const node = await makeConfiguredNode(t);
  const { authority } = node.store;
  const stranger = await createAuthority();
  const uris = ['spiffe://dev/fabric/node-9'];
  const cases: Record<string, string | Uint8Array> = {
    unknown_ca: (await stranger.issue({ uris })).certPem,
    certificate_expired: (await authority.issue({ uris, notAfter: new Date(Date.now() - 1_000) })).certPem,
    certificate_not_yet_valid: (await authority.issue({ uris, notBefore: new Date(Date.now() + 60_000) })).certPem,
    wrong_key_usage: (await authority.issue({ uris, usage: 'server' })).certPem,
    subject_not_allowed: (await authority.issue({ uris: ['spiffe://dev/other/x'] })).certPem,
    malformed_certificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  };
  const files: string[] = [];
  for (const [name, content] of Object.entries(cases)) {
    files.push(node.path(`${name}.pem`));
    await writeFile(node.path(`${name}.pem`), content);
  }
  const { stdout, exitCode } = await explain(node, [node.path('certs/node-1.pem'), ...files]);
  assert.equal(exitCode, 3);
  const [admitted, ...refused]: readonly Record<string, unknown>[] = JSON.parse(stdout);
  assert.equal(admitted?.admitted, true);
  assert.deepEqual(
    refused.map(({ admitted, roles, matched, reason }) => ({ admitted, roles, matched, reason })),
    Object.keys(cases).map(reason => ({ admitted: false, roles: [], matched: null, reason })),
  );
});

test('the anchors are those of the source, wherever it has them', async t => {
  const node = await makeConfiguredNode(t);
  const secret = node.path('secret');
  await mkdir(secret);
  const names = { 'tls.crt': 'node-1.pem', 'tls.key': 'node-1.key', 'ca.crt': 'ca.pem' };
  for (const [to, from] of Object.entries(names)) await copyFile(node.path(`certs/${from}`), join(secret, to));
  const files = 'cert-file = "certs/node-1.pem"\nkey-file = "certs/node-1.key"\nca-file = "certs/ca.pem"';
  await node.writeConfig({ [files]: 'source = "directory"\ndirectory = "secret"' });
  const { stdout, exitCode } = await explain(node, [node.path('certs/node-1.pem')]);
  assert.equal(exitCode, 0);
  assert.equal(JSON.parse(stdout)[0].admitted, true);
  await rm(join(secret, 'ca.crt'));
  const failed = await explain(node, [node.path('certs/node-1.pem')]);
  assert.equal(failed.exitCode, 1);
  assert.match(failed.stderr, /secret\/ca\.crt: is missing/);
});

test('a certificate that a CRL of the configuration names is revoked', async t => {
  const node = await makeConfiguredNode(t);
  const { certPem, serialNumber } = await node.store.authority.issue({ uris: ['spiffe://dev/fabric/node-2'] });
  await writeFile(node.path('node-2.pem'), certPem);
  await writeFile(node.path('certs/ca.crl'), await node.store.authority.createCrl([{ serialNumber }]));
  const { stdout } = await explain(node, [node.path('node-2.pem')], ['--set', 'networking.tls.crl-file=certs/ca.crl']);
  assert.equal(JSON.parse(stdout)[0].reason, 'certificate_revoked');
});

test('a certificate that denied-certificates lists is revoked, and the detail says by which entry', async t => {
  const node = await makeConfiguredNode(t);
  const { certPem, serialNumber } = await node.store.authority.issue({ uris: ['spiffe://dev/fabric/node-2'] });
  await writeFile(node.path('node-2.pem'), certPem);
  const files = [node.path('certs/node-1.pem'), node.path('node-2.pem')];
  for (const entry of [`serial:${serialNumber}`, 'uri:spiffe://dev/fabric/node-2']) {
    const set = `networking.tls.denied-certificates=${JSON.stringify(['dns:other.example', entry])}`;
    const { stdout, exitCode } = await explain(node, files, ['--set', set]);
    assert.equal(exitCode, 3);
    const [good, denied] = JSON.parse(stdout);
    assert.equal(good.admitted, true);
    assert.deepEqual(promised(denied), {
      cert: node.path('node-2.pem'),
      admitted: false,
      roles: [],
      matched: null,
      reason: 'certificate_revoked',
      detail: `denied-certificates lists ${entry}`,
    });
  }
});

test('a certificate that several lists match holds all their roles', async t => {
  const node = await makeConfiguredNode(t);
  await node.writeConfig({ 'spiffe://dev/admin/*"]': 'spiffe://dev/**"]\nobserver-subject-names = ["*"]' });
  const { stdout } = await explain(node, [node.path('certs/node-1.pem')]);
  assert.deepEqual(JSON.parse(stdout)[0].roles, ['peer', 'admin', 'observer']);
});

test('the pattern * matches as kind any', async t => {
  const node = await makeConfiguredNode(t);
  const { stdout } = await explain(
    node,
    [node.path('certs/node-1.pem')],
    ['--set', 'networking.tls.allowed-subject-names=["*"]'],
  );
  assert.deepEqual(JSON.parse(stdout)[0].matched, { pattern: '*', kind: 'any', value: 'CN=node-1' });
});

test('a refusal by name tells the operator which pattern came nearest', async t => {
  const node = await makeConfiguredNode(t);
  const { certPem } = await node.store.authority.issue({ uris: ['spiffe://dev/fabric/a/b'] });
  await writeFile(node.path('x.pem'), certPem);
  const { stdout, exitCode } = await runCtl(['tls', 'explain', '--config', node.config, '--cert', node.path('x.pem')]);
  assert.equal(exitCode, 3);
  assert.match(stdout, /^admitted +no$/m);
  assert.match(stdout, /^reason +subject_not_allowed$/m);
  assert.match(stdout, /nearest is "uri:spiffe:\/\/dev\/fabric\/\*" for the uri name "spiffe:\/\/dev\/fabric\/a\/b"/);
});

test('neither the key nor the certificate of the node is needed', async t => {
  const node = await makeConfiguredNode(t);
  const { certFile } = await node.store.issueNode({ nodeName: 'node-2', hosts: [] });
  for (const name of ['node-1.pem', 'node-1.key']) await rm(node.path(`certs/${name}`));
  assert.equal((await explain(node, [certFile])).exitCode, 0);
});

test('a certificate in DER is judged like one in PEM', async t => {
  const node = await makeConfiguredNode(t);
  const { certPem } = await node.store.authority.issue({ uris: ['spiffe://dev/fabric/node-2'] });
  const base64 = certPem
    .split('\n')
    .filter(line => !line.startsWith('-----'))
    .join('');
  await writeFile(node.path('node-2.der'), Buffer.from(base64, 'base64'));
  assert.equal((await explain(node, [node.path('node-2.der')])).exitCode, 0);
});

test('what cannot be explained is a failure, not a refusal', async t => {
  const node = await makeConfiguredNode(t);
  const missing = await explain(node, [node.path('nowhere.pem')]);
  assert.equal(missing.exitCode, 1);
  assert.match(missing.stderr, /nowhere\.pem cannot be read/);
  const noConfig = await runCtl(['tls', 'explain', '--cert', node.path('certs/node-1.pem')]);
  assert.equal(noConfig.exitCode, 2);
  await rm(node.path('certs/ca.pem'));
  const noCa = await explain(node, [node.path('certs/node-1.pem')]);
  assert.equal(noCa.exitCode, 1);
  assert.match(noCa.stderr, /ca\.pem: is missing/);
});

/** The fields that scripts may build on. */
function promised({ cert, admitted, roles, matched, reason, detail }: Record<string, unknown>): object {
  return { cert, admitted, roles, matched, reason, detail };
}

function explain(
  node: ConfiguredNode,
  certificates: readonly string[],
  more: readonly string[] = [],
): ReturnType<typeof runCtl> {
  return runCtl(['tls', 'explain', '--config', node.config, '-o', 'json', ...more, '--cert', ...certificates]);
}
