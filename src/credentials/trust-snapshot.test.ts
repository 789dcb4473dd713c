import assert from 'node:assert/strict';
import { chmod, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { type CredentialDirectory, makeCredentialDirectory } from '../../test/kit/credential-directory.ts';
import { createAuthority, openAuthority } from '../dev-pki/authority.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { type CredentialCheck, checkCredentials } from './check-credentials.ts';
import { readCredentialFiles } from './credential-files.ts';
import { buildTrustSnapshot, type TrustSnapshot } from './trust-snapshot.ts';

const now = new Date();
const DAY_MS = 24 * 60 * 60 * 1_000;
const yesterday = new Date(now.getTime() - DAY_MS);
const tomorrow = new Date(now.getTime() + DAY_MS);

async function check({ files }: CredentialDirectory): Promise<CredentialCheck> {
  return checkCredentials(await readCredentialFiles(files), now);
}

/** `file-name: problem`, for each problem. */
async function problemsOf(directory: CredentialDirectory): Promise<readonly string[]> {
  const { problems, credentials } = await check(directory);
  assert.equal(credentials, undefined);
  return problems.map(({ file, problem }) => `${file.slice(directory.directory.length + 1)}: ${problem}`);
}

async function warningsOf(directory: CredentialDirectory): Promise<readonly string[]> {
  const { problems, warnings } = await check(directory);
  assert.deepEqual(problems, []);
  return warnings.map(warning => warning.slice(directory.directory.length + 1));
}

async function build({ files }: CredentialDirectory): Promise<TrustSnapshot> {
  return buildTrustSnapshot(await readCredentialFiles(files), { generation: 7, now });
}

test('a good set becomes a snapshot without warnings', async t => {
  const authority = await createAuthority({ intermediate: true });
  const directory = await makeCredentialDirectory(t, { authority });
  const snapshot = await build(directory);
  assert.deepEqual(snapshot.warnings, []);
  assert.equal(snapshot.generation, 7);
  assert.equal(snapshot.own.identity.commonName, 'node-1');
  assert.equal(snapshot.own.intermediates.length, 1);
  assert.deepEqual(
    snapshot.anchors.map(({ identity }) => identity.commonName),
    [authority.name],
  );
  assert.equal(snapshot.loadedAt, now);
});

test('a key of another certificate is a problem', async t => {
  const directory = await makeCredentialDirectory(t);
  await directory.write('node.key', (await directory.authority.issue({ commonName: 'other' })).keyPem);
  assert.deepEqual(await problemsOf(directory), [
    `node.key: the private key does not belong to the first certificate of ${directory.files.certFile}`,
  ]);
});

test('two keys in a key file are a problem: which one is meant cannot be told', async t => {
  const directory = await makeCredentialDirectory(t);
  const { keyPem } = await directory.authority.issue({ commonName: 'other' });
  const own = await readFile(directory.files.keyFile, 'utf8');
  await directory.write('node.key', `${own}${keyPem}`);
  assert.deepEqual(await problemsOf(directory), [
    'node.key: holds 2 private keys, and which one is meant cannot be told',
  ]);
});

test('garbage in any file is a problem of that file, and all of them are named at once', async t => {
  const directory = await makeCredentialDirectory(t, { revoked: [] });
  for (const name of ['node.pem', 'node.key', 'ca.pem', 'ca.crl'] as const) await directory.write(name, 'garbage');
  assert.deepEqual(await problemsOf(directory), [
    'node.pem: holds no certificate in PEM form',
    'node.key: holds no private key in PEM form',
    'ca.pem: holds no certificate in PEM form',
    'ca.crl: The CRL cannot be read: it ends too early.',
  ]);
});

test('a block of PEM that is cut off is a problem, not half a file', async t => {
  const directory = await makeCredentialDirectory(t);
  const bundle = `${directory.authority.anchorsPem}-----BEGIN CERTIFICATE-----\nMIIB`;
  await directory.write('ca.pem', bundle);
  assert.match((await problemsOf(directory)).join(), /^ca\.pem: The PEM text cannot be read: line \d+/);
});

test('an expired or not yet valid certificate is a problem that names the date', async t => {
  const expired = await makeCredentialDirectory(t, { request: { commonName: 'node-1', notAfter: yesterday } });
  assert.match((await problemsOf(expired)).join(), /^node\.pem: the certificate expired on .* GMT$/);
  const early = await makeCredentialDirectory(t, { request: { commonName: 'node-1', notBefore: tomorrow } });
  assert.match((await problemsOf(early)).join(), /^node\.pem: the certificate is not valid before .* GMT$/);
});

test('an expired intermediate is a problem, an expired anchor a warning', async t => {
  const root = await createAuthority();
  const expired = await root.issue({ commonName: 'old intermediate', isCa: true, notAfter: yesterday });
  const authority = await openAuthority({ certPem: root.certPem, keyPem: root.keyPem, intermediate: expired });
  const directory = await makeCredentialDirectory(t, { authority });
  assert.match(
    (await problemsOf(directory)).join(),
    /^node\.pem: the intermediate certificate CN=old intermediate exp/,
  );

  const oldRoot = await createAuthority({ commonName: 'old root', notAfter: yesterday });
  const good = await makeCredentialDirectory(t);
  await good.write('ca.pem', good.authority.anchorsPem + oldRoot.anchorsPem);
  assert.match((await warningsOf(good)).join(), /^ca\.pem: the CA certificate CN=old root expired on/);
});

test('a CA certificate as the certificate of the node is a problem', async t => {
  const directory = await makeCredentialDirectory(t, { request: { commonName: 'a ca', isCa: true } });
  assert.match((await problemsOf(directory)).join(), /^node\.pem: the first certificate is that of a CA/);
});

test('an encrypted key is a problem that says so', async t => {
  const directory = await makeCredentialDirectory(t);
  await directory.write('node.key', directory.authority.anchorsPem.replaceAll('CERTIFICATE', 'ENCRYPTED PRIVATE KEY'));
  assert.deepEqual(await problemsOf(directory), ['node.key: the private key is encrypted, which is not supported']);
});

test('a set without CA files is a problem', async t => {
  const { files } = await makeCredentialDirectory(t);
  const bytes = await readCredentialFiles({ ...files, caFiles: [] });
  assert.deepEqual(checkCredentials(bytes, now).problems, [
    { file: '', problem: 'no CA file is named: nobody could be trusted' },
  ]);
});

test('certificate and key may lie in one file, the key first', async t => {
  const directory = await makeCredentialDirectory(t);
  const { certPem, keyPem } = await directory.authority.issue({ commonName: 'node-1' });
  await directory.write('node.key', keyPem + certPem);
  const bytes = await readCredentialFiles({ ...directory.files, certFile: directory.files.keyFile });
  assert.deepEqual(checkCredentials(bytes, now).problems, []);
});

test('a key that others can read is a warning', async t => {
  const directory = await makeCredentialDirectory(t);
  await chmod(directory.path('node.key'), 0o644);
  assert.deepEqual(await warningsOf(directory), [
    'node.key: the private key is accessible to group or others (mode 0644)',
  ]);
});

test('a certificate that can only serve or only dial is a warning', async t => {
  const server = await makeCredentialDirectory(t, { request: { commonName: 'node-1', usage: 'server' } });
  assert.match((await warningsOf(server)).join(), /^node\.pem: the extended key usage lacks clientAuth/);
  const client = await makeCredentialDirectory(t, { request: { commonName: 'node-1', usage: 'client' } });
  assert.match((await warningsOf(client)).join(), /^node\.pem: the extended key usage lacks serverAuth/);
  const any = await makeCredentialDirectory(t, { request: { commonName: 'node-1', usage: 'none' } });
  assert.deepEqual(await warningsOf(any), []);
});

test('a certificate that our own anchors do not vouch for is a warning: in a rollover that is so for a while', async t => {
  const directory = await makeCredentialDirectory(t);
  await directory.write('ca.pem', (await createAuthority({ commonName: 'other' })).anchorsPem);
  assert.deepEqual(await warningsOf(directory), [
    'node.pem: none of our own trust anchors vouches for our own certificate',
  ]);
});

test('an anchor that is no CA or not self-signed is a warning', async t => {
  const directory = await makeCredentialDirectory(t);
  const { certPem } = await directory.authority.issue({ commonName: 'leaf' });
  await directory.write('ca.pem', directory.authority.anchorsPem + certPem);
  assert.deepEqual(
    (await warningsOf(directory)).map(warning => warning.replace(/:[^:]*$/, '')),
    ['ca.pem: the CA certificate CN=leaf is not one of a CA', 'ca.pem: the CA certificate CN=leaf is not self-signed'],
  );
});

test('the same anchor twice counts once', async t => {
  const directory = await makeCredentialDirectory(t);
  await directory.write('ca.pem', directory.authority.anchorsPem.repeat(2));
  assert.equal((await build(directory)).anchors.length, 1);
});

test('equal sets have equal hashes wherever they lie, and any other byte makes another hash', async t => {
  const directory = await makeCredentialDirectory(t);
  const before = await build(directory);
  assert.equal((await build(directory)).contentHash, before.contentHash);
  await directory.write('ca.pem', `${directory.authority.anchorsPem}\n`);
  assert.notEqual((await build(directory)).contentHash, before.contentHash);
});

test('building from a bad set throws, naming every problem', async t => {
  const directory = await makeCredentialDirectory(t);
  await directory.write('node.pem', 'garbage');
  await directory.write('ca.pem', 'garbage');
  await assert.rejects(build(directory), error => {
    assert.ok(isSelvedgeError(error, 'credentials_invalid'));
    assert.equal(error.facts.file, directory.path('node.pem'));
    assert.match(error.message, /node\.pem: holds no certificate.*; .*ca\.pem: holds no certificate/);
    return true;
  });
});

test('a snapshot is frozen, and printing or serialising it never shows the key', async t => {
  const directory = await makeCredentialDirectory(t);
  const snapshot = await build(directory);
  const { key } = snapshot.contextOptions('TLSv1.3');
  snapshot.secureContext('TLSv1.3');
  assert.ok(Object.isFrozen(snapshot));
  assert.ok(typeof key === 'string');
  const printed = inspect(snapshot, { depth: 20, showHidden: true, maxStringLength: null }) + JSON.stringify(snapshot);
  assert.doesNotMatch(printed, /PRIVATE/);
  for (const line of key.split('\n').filter(text => text !== '' && !text.startsWith('--')))
    assert.ok(!printed.includes(line));
});

test('the secure context is made once a version, without a CRL and without session tickets', async t => {
  const snapshot = await build(await makeCredentialDirectory(t, { revoked: [] }));
  assert.equal(snapshot.secureContext('TLSv1.3'), snapshot.secureContext('TLSv1.3'));
  assert.notEqual(snapshot.secureContext('TLSv1.3'), snapshot.secureContext('TLSv1.2'));
  const options = snapshot.contextOptions('TLSv1.2');
  assert.equal(options.minVersion, 'TLSv1.2');
  assert.equal(options.crl, undefined);
});
