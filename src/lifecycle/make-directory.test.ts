import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDirectory } from './make-directory.ts';

test('every missing directory is made with the mode, and making it again is no error', async t => {
  const root = await mkdtemp(join(tmpdir(), 'selvedge-mkdir-'));
  t.after(() => rm(root, { recursive: true }));
  const deep = join(root, 'a', 'b');
  await makeDirectory(deep, 0o700);
  await makeDirectory(deep, 0o700);
  assert.equal((await stat(deep)).mode & 0o777, 0o700);
});

test('below a file nothing can be made', async t => {
  const root = await mkdtemp(join(tmpdir(), 'selvedge-mkdir-'));
  t.after(() => rm(root, { recursive: true }));
  await writeFile(join(root, 'file'), '');
  await assert.rejects(makeDirectory(join(root, 'file', 'below'), 0o700), { code: 'EEXIST' });
});

test('a file system that refuses with ENOENT is an error, not an endless loop', async t => {
  if (!existsSync('/proc/self')) return t.skip('needs procfs');
  await assert.rejects(makeDirectory('/proc/selvedge/data', 0o700), { code: 'ENOENT' });
});
