import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { type CertStore, initCertStore } from '../../src/dev-pki/cert-store.ts';
import { nodeControl } from '../../src/rpc/control-messages.ts';
import { makeConfiguredNode } from './configured-node.ts';
import { startFakeNode } from './fake-node.ts';
import { makeDirectory, runCtl } from './programs.ts';

const REFUSING = { code: grpc.status.PERMISSION_DENIED, details: 'no' };

test('of several addresses the first that answers is asked', async t => {
  const node = await startFakeNode(t, { Drain: { state: 'draining' } });
  const other = await startFakeNode(t, { Drain: { state: 'other' } });
  const addresses = `unix:/nowhere/admin.sock,${node.address},${other.address}`;
  const { stdout, exitCode } = await runCtl(['drain'], { env: { SELVEDGECTL_ADDRESS: addresses } });
  assert.deepEqual({ stdout, exitCode }, { stdout: 'draining\n', exitCode: 0 });
  assert.equal(other.calls.length, 0);
});

test('a node that answers with an error is an answer: no other address is asked', async t => {
  const node = await startFakeNode(t, { Drain: REFUSING });
  const other = await startFakeNode(t, { Drain: { state: 'draining' } });
  const { stderr, exitCode } = await runCtl(['drain', '-s', `${node.address},${other.address}`]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /permission denied for selvedge\.control\.v1\.NodeControl\/Drain\. It needs the role admin\./);
  assert.equal(other.calls.length, 0);
});

test('where nobody answers, each address is named with what to do', async () => {
  const { stderr, exitCode } = await runCtl(['health', '-s', 'unix:/nowhere/a.sock,http://127.0.0.1:1']);
  assert.equal(exitCode, 1);
  assert.equal(stderr.trimEnd().split('\n').length, 1);
  assert.match(stderr, /unix:\/nowhere\/a\.sock: there is no such socket\./);
  assert.match(stderr, /http:\/\/127\.0\.0\.1:1: nothing listens there\./);
  assert.match(stderr, /Is the node running/);
});

test('a server that is no Selvedge node is told apart from one that cannot be reached', async t => {
  const node = await startFakeNode(t, {});
  const { stderr, exitCode } = await runCtl(['tls', 'status', '-s', node.address]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /does not know selvedge\.control\.v1\.NodeControl\/GetTlsState/);
});

test('--config means the admin socket of that node, whatever address the environment names', async t => {
  const node = await startFakeNode(t, { Drain: { state: 'draining' } });
  const config = join(await makeDirectory(t), 'node.toml');
  const socket = node.address.slice('unix:'.length);
  await writeFile(
    config,
    `cluster-name = "dev"\nnode-name = "node-1"\ndata-dir = "data"\nadmin-socket = ${JSON.stringify(socket)}\n`,
  );
  const env = { SELVEDGECTL_ADDRESS: 'http://127.0.0.1:1' };
  const { stdout } = await runCtl(['drain', '--config', config], { env });
  assert.equal(stdout, 'draining\n');
});

test('an https node is asked with the given certificate, under the name that was dialled', async t => {
  const { port, tls } = await startTlsNode(t, ['127.0.0.1']);
  const { stdout, stderr, exitCode } = await runCtl(['drain', '-s', `127.0.0.1:${port}`, ...tls]);
  assert.deepEqual({ stdout, stderr, exitCode }, { stdout: 'draining\n', stderr: '', exitCode: 0 });
});

test('the short names of the TLS options and their variables mean the same', async t => {
  const { port, tls } = await startTlsNode(t, ['127.0.0.1']);
  const [, ca = '', , cert = '', , key = ''] = tls;
  const short = ['--cacert', ca, '--cert', cert, '--key', key];
  const byOption = await runCtl([...short, 'drain', '-s', `https://127.0.0.1:${port}`]);
  const env = { SELVEDGECTL_TLS_CA: ca, SELVEDGECTL_TLS_CERT: cert, SELVEDGECTL_TLS_KEY: key };
  const byVariable = await runCtl(['drain', '-s', `https://127.0.0.1:${port}`], { env });
  assert.deepEqual([byOption.stdout, byVariable.stdout], ['draining\n', 'draining\n']);
});

test('a server whose certificate is for another host is not asked, unless --tls-server-name expects it', async t => {
  const { port, tls } = await startTlsNode(t, ['node-1.example']);
  const args = ['drain', '-s', `https://127.0.0.1:${port}`, ...tls];
  const refused = await runCtl(args);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /server_identity_mismatch/);
  assert.match(refused.stderr, /--tls-server-name/);
  for (const name of ['node-1.example', 'uri:spiffe://dev/fabric/*', 'spiffe://dev/fabric/node-1'])
    assert.equal((await runCtl([...args, '--tls-server-name', name])).stdout, 'draining\n', name);
  assert.match((await runCtl([...args, '--tls-server-name', 'uri:spiffe://dev/fabric/node-2'])).stderr, /mismatch/);
});

test('a server of another CA is not asked', async t => {
  const { port } = await startTlsNode(t, ['127.0.0.1']);
  const { tls } = await makeStore(t);
  const { stderr, exitCode } = await runCtl(['drain', '-s', `https://127.0.0.1:${port}`, ...tls]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /unknown_ca.*--tls-ca/);
});

test('a server that asks for no certificate is asked with the CA alone', async t => {
  const { port, tls } = await startTlsNode(t, ['127.0.0.1'], false);
  const { stdout } = await runCtl(['drain', '-s', `https://127.0.0.1:${port}`, ...tls.slice(0, 2)]);
  assert.equal(stdout, 'draining\n');
});

test('an expired certificate of our own is said before anything is dialled', async t => {
  const { store, tls } = await makeStore(t);
  await store.issueAdmin({ adminName: 'alice', notAfter: new Date(Date.now() - 1_000), force: true });
  const { stderr, exitCode } = await runCtl(['health', '-s', 'https://127.0.0.1:1', ...tls]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /admin-alice\.pem: the certificate expired .*certs rotate/);
});

test('what cannot be meant is a usage error: exit 2 and one line', async t => {
  const { tls } = await makeStore(t);
  const [, ca = '', , cert = ''] = tls;
  const mistakes: readonly (readonly [readonly string[], RegExp])[] = [
    [['-s', 'http://127.0.0.1:1', '--tls-ca', ca], /plaintext.*--allow-plaintext/],
    [['-s', 'https://127.0.0.1:1'], /needs --tls-ca/],
    [[], /https:\/\/127\.0\.0\.1:5122 needs --tls-ca.*--config/],
    [['-s', 'https://127.0.0.1:1', '--tls-ca', ca, '--tls-cert', cert], /--tls-key is missing/],
    [['-s', 'ftp://x'], /not an address/],
    [['-s', '127.0.0.1:0', '--tls-ca', ca], /port 0/],
    [['-s', 'unix:/x', '--tls-server-name', 'uri:*'], /uri:\*/],
    [['-s', 'unix:/x', '--timeout', '10'], /duration/],
    [['-s', 'unix:/x', '-o', 'yaml'], /table, json/],
  ];
  for (const [args, message] of mistakes) {
    const { stdout, stderr, exitCode } = await runCtl(['health', ...args]);
    assert.equal(exitCode, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, message);
  }
});

test('with the configuration of a strict node nothing is asked in plaintext, wherever the address is given', async t => {
  const { config, writeConfig } = await makeConfiguredNode(t);
  const http = 'http://127.0.0.1:1';
  const ways = [
    { args: ['-s', http, '--config', config], env: {} },
    { args: ['-s', `https://127.0.0.1:1,${http}`, '--config', config], env: {} },
    { args: ['-s', http], env: { SELVEDGECTL_CONFIG: config } },
    { args: [], env: { SELVEDGECTL_CONFIG: config, SELVEDGECTL_ADDRESS: http } },
  ];
  for (const { args, env } of ways) {
    const { stderr, exitCode } = await runCtl(['health', ...args], { env });
    assert.equal(exitCode, 2, stderr);
    assert.match(
      stderr,
      /http:\/\/127\.0\.0\.1:1 is plaintext, and the mode of .*node\.toml is strict\..*--allow-plaintext/,
    );
    if (args.some(arg => arg.startsWith('https'))) continue;
    const meant = await runCtl(['health', ...args, '--allow-plaintext'], { env });
    assert.match(meant.stderr, /nothing listens there/);
  }
  await writeConfig({ 'data-dir = "data"': 'data-dri = "data"' });
  const broken = await runCtl(['health', '-s', http, '--config', config]);
  assert.match(broken.stderr, /is strict/, 'a file with mistakes is no way around it');
  await writeConfig({ 'data-dir = "data"': 'data-dri = "data"', 'mode = "strict"': '' });
  const silent = await runCtl(['health', '-s', http, '--config', config]);
  assert.match(silent.stderr, /is strict/, 'nor is one that does not name a mode');
  await writeConfig({ '"strict"': '"optional"' });
  const optional = await runCtl(['health', '-s', http, '--config', config]);
  assert.match(optional.stderr, /nothing listens there/);
});

test('--allow-plaintext lets http:// through although TLS files are given', async t => {
  const { tls } = await makeStore(t);
  const { stderr, exitCode } = await runCtl(['health', '-s', 'http://127.0.0.1:1', ...tls, '--allow-plaintext']);
  assert.equal(exitCode, 1);
  assert.match(stderr, /nothing listens there/);
});

interface Store {
  readonly store: CertStore;
  /** `--tls-ca FILE --tls-cert FILE --tls-key FILE` */
  readonly tls: readonly string[];
}

async function makeStore(t: TestContext): Promise<Store> {
  const directory = await makeDirectory(t);
  const store = await initCertStore(directory, { clusterName: 'dev' });
  const { certFile, keyFile } = await store.issueAdmin({ adminName: 'alice' });
  return { store, tls: ['--tls-ca', join(directory, 'ca.pem'), '--tls-cert', certFile, '--tls-key', keyFile] };
}

/** A node that drains, behind TLS. */
async function startTlsNode(
  t: TestContext,
  hosts: readonly string[],
  requireCertificate = true,
): Promise<Store & { readonly port: number }> {
  const { store, tls } = await makeStore(t);
  const pair = await store.authority.issue({
    dnsNames: hosts.filter(host => !/^\d/.test(host)),
    ipAddresses: hosts.filter(host => /^\d/.test(host)),
    uris: ['spiffe://dev/fabric/node-1'],
  });
  const server = new grpc.Server();
  const drain: grpc.handleUnaryCall<object, object> = (_, reply) => reply(null, { state: 'draining' });
  server.addService(nodeControl.definition, { Drain: drain });
  const credentials = grpc.ServerCredentials.createSsl(
    Buffer.from(store.authority.anchorsPem),
    [{ cert_chain: Buffer.from(pair.certPem), private_key: Buffer.from(pair.keyPem) }],
    requireCertificate,
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  t.after(() => server.forceShutdown());
  return { store, tls, port };
}
