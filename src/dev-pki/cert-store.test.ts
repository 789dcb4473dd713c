import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { initCertStore, openCertStore } from './cert-store.ts';
import { listStoredCertificates } from './stored-certificate.ts';

const DAY_MS = 86_400_000;

test('a new store holds the CA and nothing else, and its directory is for the owner alone', async t => {
  const directory = await missingDirectory(t);
  await initCertStore(directory, { clusterName: 'dev' });
  assert.deepEqual((await readdir(directory)).sort(), ['ca.key', 'ca.pem']);
  assert.equal(await modeOf(directory), 0o700);
});

test('every key has mode 0600', async t => {
  const directory = await missingDirectory(t);
  const store = await initCertStore(directory, { clusterName: 'dev', intermediate: true });
  await store.issueNode({ nodeName: 'node-1', hosts: [] });
  await store.issueAdmin({ adminName: 'alice' });
  const files = await readdir(directory);
  const keys = files.filter(file => file.endsWith('.key')).sort();
  assert.deepEqual(keys, ['admin-alice.key', 'ca.key', 'intermediate.key', 'node-1.key']);
  for (const key of keys) assert.equal(await modeOf(join(directory, key)), 0o600, key);
  assert.equal(files.length, 8, 'a certificate for each key, and no temporary file');
});

test('a store that is opened again issues under the same CA', async t => {
  for (const intermediate of [false, true]) {
    const directory = await missingDirectory(t);
    await initCertStore(directory, { clusterName: 'blue', intermediate });
    const store = await openCertStore(directory);
    assert.equal(store.clusterName, 'blue');
    const { certFile } = await store.issueNode({ nodeName: 'node-1', hosts: ['localhost'] });
    const node = (await store.list()).find(({ name }) => name === 'node-1');
    assert.deepEqual(node?.uris, ['spiffe://blue/fabric/node-1']);
    assert.deepEqual(node?.problems, []);
    assert.equal((await readFile(certFile, 'utf8')).split('BEGIN').length - 1, intermediate ? 2 : 1);
  }
});

test('a CA is overwritten only when that was asked for', async t => {
  const directory = await missingDirectory(t);
  await initCertStore(directory, { clusterName: 'dev', intermediate: true });
  const before = await readFile(join(directory, 'ca.pem'), 'utf8');
  await assert.rejects(initCertStore(directory, { clusterName: 'dev' }), error =>
    isSelvedgeError(error, 'file_exists'),
  );
  assert.equal(await readFile(join(directory, 'ca.pem'), 'utf8'), before);

  await (await openCertStore(directory)).issueNode({ nodeName: 'node-1', hosts: [] });
  await initCertStore(directory, { clusterName: 'dev', force: true });
  assert.notEqual(await readFile(join(directory, 'ca.pem'), 'utf8'), before);
  assert.equal((await openCertStore(directory)).authority.intermediate, undefined);
  const orphan = (await listStoredCertificates(directory)).find(({ name }) => name === 'node-1');
  assert.deepEqual(orphan?.problems, ['It was not issued by the CA of this directory.']);
});

test('the key of a CA is never overwritten for want of its certificate', async t => {
  const directory = await missingDirectory(t);
  await initCertStore(directory, { clusterName: 'dev' });
  await unlink(join(directory, 'ca.pem'));
  await assert.rejects(initCertStore(directory, { clusterName: 'dev' }), error =>
    isSelvedgeError(error, 'file_exists'),
  );
});

test('a node is issued again only when that was asked for', async t => {
  const store = await initCertStore(await missingDirectory(t), { clusterName: 'dev' });
  await store.issueNode({ nodeName: 'node-1', hosts: [] });
  await assert.rejects(store.issueNode({ nodeName: 'node-1', hosts: [] }), error =>
    isSelvedgeError(error, 'file_exists'),
  );
  await store.issueNode({ nodeName: 'node-1', hosts: ['other'], force: true });
  const node = (await store.list()).find(({ name }) => name === 'node-1');
  assert.deepEqual(node?.dnsNames, ['node-1', 'other']);
});

test('no node takes the files of the CA', async t => {
  const store = await initCertStore(await missingDirectory(t), { clusterName: 'dev' });
  for (const nodeName of ['ca', 'intermediate']) {
    await assert.rejects(store.issueNode({ nodeName, hosts: [], force: true }), error =>
      isSelvedgeError(error, 'usage'),
    );
  }
});

test('a rotated certificate has the same names and life, and a new key', async t => {
  const directory = await missingDirectory(t);
  const store = await initCertStore(directory, { clusterName: 'dev', intermediate: true });
  await store.issueNode({
    nodeName: 'node-1',
    hosts: ['a.example', '10.0.0.7'],
    localhost: true,
    notAfter: new Date(Date.now() + 7 * DAY_MS),
  });
  const { name } = await store.issueAdmin({ adminName: 'alice' });
  const before = await store.list();
  await store.rotate('node-1');
  await store.rotate(name);
  const after = await store.list();
  assert.deepEqual((await readdir(directory)).length, 8);
  for (const [index, old] of before.entries()) {
    const renewed = after[index];
    assert.ok(renewed);
    const isLeaf = old.kind === 'node' || old.kind === 'admin';
    assert.equal(renewed.fingerprint !== old.fingerprint, isLeaf, old.name);
    for (const key of ['name', 'kind', 'commonName', 'dnsNames', 'uris', 'ipAddresses', 'problems'] as const)
      assert.deepEqual(renewed[key], old[key]);
    const lifeMs = (stored: typeof old): number => stored.notAfter.getTime() - stored.notBefore.getTime();
    assert.ok(Math.abs(lifeMs(renewed) - lifeMs(old)) <= 2_000, old.name);
  }
  const admin = new X509Certificate(await readFile(join(directory, 'admin-alice.pem')));
  assert.deepEqual(admin.keyUsage, ['1.3.6.1.5.5.7.3.2']);
});

test('only nodes and admins are rotated', async t => {
  const directory = await missingDirectory(t);
  const store = await initCertStore(directory, { clusterName: 'dev' });
  for (const name of ['ca', '../ca', '']) {
    await assert.rejects(store.rotate(name), error => isSelvedgeError(error) && error.code !== 'file_exists', name);
  }
  await assert.rejects(store.rotate('node-9'), error => isSelvedgeError(error, 'credentials_invalid'));
});

test('the list shows the CA first, every kind, and what is wrong', async t => {
  const directory = await missingDirectory(t);
  const store = await initCertStore(directory, { clusterName: 'dev', intermediate: true });
  await store.issueNode({ nodeName: 'node-2', hosts: [] });
  await store.issueNode({ nodeName: 'node-1', hosts: [] });
  await store.issueAdmin({ adminName: 'alice' });
  const other = await store.authority.issue({ commonName: 'legacy' });
  await writeFile(join(directory, 'app.pem'), other.certPem);
  await writeFile(join(directory, 'dh.pem'), 'no certificate in here\n');
  await chmod(join(directory, 'node-1.key'), 0o644);
  await writeFile(join(directory, 'node-2.key'), await readFile(join(directory, 'node-1.key')));

  const listed = await store.list();
  assert.deepEqual(
    listed.map(({ name, kind, hasKey }) => `${name} ${kind} ${hasKey}`),
    [
      'ca ca true',
      'intermediate intermediate true',
      'node-1 node true',
      'node-2 node true',
      'admin-alice admin true',
      'app other false',
    ],
  );
  const problems = Object.fromEntries(listed.map(stored => [stored.name, stored.problems]));
  assert.deepEqual(problems['admin-alice'], []);
  assert.match(problems['node-1']?.join() ?? '', /^The key is open to other users \(mode 0644\)/);
  assert.match(problems['node-2']?.join() ?? '', /^The key does not belong to the certificate/);
});

test('a directory can be listed without the key of its CA', async t => {
  const directory = await missingDirectory(t);
  await initCertStore(directory, { clusterName: 'dev' });
  await unlink(join(directory, 'ca.key'));
  const [ca] = await listStoredCertificates(directory);
  assert.equal(ca?.hasKey, false);
});

test('a store that cannot be opened names the file', async t => {
  const directory = await missingDirectory(t);
  const namesFile = (file: string) => (error: unknown) =>
    isSelvedgeError(error, 'credentials_invalid') && error.facts.file === join(directory, file);
  await assert.rejects(openCertStore(directory), namesFile('ca.pem'));
  await assert.rejects(listStoredCertificates(directory), namesFile('.'));

  await initCertStore(directory, { clusterName: 'dev' });
  const pem = await readFile(join(directory, 'ca.pem'), 'utf8');
  await writeFile(join(directory, 'ca.pem'), pem.slice(0, 200));
  await assert.rejects(openCertStore(directory), namesFile('ca.pem'));
  await assert.rejects(listStoredCertificates(directory), namesFile('ca.pem'));
});

test('key material stands in no error', async t => {
  const directory = await missingDirectory(t);
  await initCertStore(directory, { clusterName: 'dev' });
  const key = await readFile(join(directory, 'ca.key'), 'utf8');
  const secret = key.split('\n')[1] ?? '';
  await writeFile(join(directory, 'ca.key'), key.slice(0, -40));
  await assert.rejects(openCertStore(directory), error => {
    assert.ok(error instanceof Error);
    return !`${error.stack}${JSON.stringify(error)}`.includes(secret.slice(0, 20));
  });
});

/** A path at which nothing is yet. */
async function missingDirectory(t: TestContext): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'selvedge-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  return join(parent, 'certs');
}

async function modeOf(file: string): Promise<number> {
  return (await stat(file)).mode & 0o777;
}
