import assert from 'node:assert/strict';
import { chmod, mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { makeCredentialDirectory } from '../../test/kit/credential-directory.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { type CredentialFiles, readCredentialFiles, tryReadCredentialFiles } from './credential-files.ts';

async function problemsOf(files: CredentialFiles): Promise<readonly string[]> {
  const reading = await tryReadCredentialFiles(files);
  assert.ok(!reading.ok);
  return reading.problems.map(({ problem }) => problem);
}

test('every file is read, with the permission bits of the key', async t => {
  const { files, path } = await makeCredentialDirectory(t, { revoked: [] });
  await chmod(path('node.key'), 0o640);
  const bytes = await readCredentialFiles(files);
  assert.equal(bytes.key.mode, 0o640);
  assert.equal(bytes.cert.file, files.certFile);
  assert.match(Buffer.from(bytes.cert.bytes).toString(), /BEGIN CERTIFICATE/);
  assert.equal(bytes.ca.length, 1);
  assert.equal(bytes.crl.length, 1);
});

test('a file that two keys name is read once', async t => {
  const { files } = await makeCredentialDirectory(t);
  const bytes = await readCredentialFiles({ ...files, keyFile: files.certFile });
  assert.equal(bytes.cert, bytes.key);
});

test('each way a file can be unusable is told apart', async t => {
  const { files, path, directory } = await makeCredentialDirectory(t);
  const withCert = (certFile: string): Promise<readonly string[]> => problemsOf({ ...files, certFile });
  await writeFile(path('ca.crl'), '');
  await mkdir(join(directory, 'sub'));
  await symlink('loop', join(directory, 'loop'));
  assert.deepEqual(await withCert(join(directory, 'nowhere.pem')), ['is missing']);
  assert.deepEqual(await withCert(join(path('node.pem'), 'below.pem')), [
    'is missing: a part of its path is not a directory',
  ]);
  assert.deepEqual(await withCert(path('ca.crl')), ['is empty']);
  assert.deepEqual(await withCert(join(directory, 'sub')), ['is a directory']);
  assert.deepEqual(await withCert(join(directory, 'loop')), ['is a symbolic link that leads in a circle']);
  assert.deepEqual(await withCert('/dev/null'), ['is not a regular file']);
});

test('a file that is too large is refused without being read', async t => {
  const { files, path } = await makeCredentialDirectory(t);
  await truncate(path('ca.pem'), 16 * 1024 * 1024 + 1);
  assert.deepEqual(await problemsOf(files), ['is larger than 16777216 bytes']);
});

test('a file without permission is told apart', {
  skip: process.getuid?.() === 0 && 'root reads everything',
}, async t => {
  const { files, path } = await makeCredentialDirectory(t);
  await chmod(path('node.key'), 0o000);
  assert.deepEqual(await problemsOf(files), ['cannot be read: permission denied']);
});

test('the error names every file that cannot be used, the first one in its facts', async t => {
  const { files, path } = await makeCredentialDirectory(t);
  await rm(path('node.key'));
  await writeFile(path('ca.pem'), '');
  await assert.rejects(readCredentialFiles(files), error => {
    assert.ok(isSelvedgeError(error, 'credentials_invalid'));
    assert.deepEqual(error.facts, { file: files.keyFile, problem: 'is missing' });
    assert.equal(error.message, `${files.keyFile}: is missing; ${path('ca.pem')}: is empty`);
    return true;
  });
});

test('printing or serialising what was read never shows a byte of it', async t => {
  const { files } = await makeCredentialDirectory(t);
  const bytes = await readCredentialFiles(files);
  const printed = inspect(bytes, { depth: 10, showHidden: true }) + JSON.stringify(bytes);
  assert.doesNotMatch(printed, /BEGIN|PRIVATE|Buffer|Uint8Array|"data"/);
});
