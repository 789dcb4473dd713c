import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writeFileAtomic, writeFilesAtomic } from './atomic-write.ts';

test('a written file is whole, has its mode, and leaves nothing beside it', async t => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'node-1.key');
  await writeFileAtomic(file, 'secret\n', 0o600);
  assert.equal(await readFile(file, 'utf8'), 'secret\n');
  assert.equal(await modeOf(file), 0o600);
  assert.deepEqual(await readdir(directory), ['node-1.key']);
});

test('a replaced file takes the new mode, whatever the umask and the old mode', async t => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'a.pem');
  await writeFile(file, 'old', { mode: 0o600 });
  const umask = process.umask(0o077);
  t.after(() => process.umask(umask));
  await writeFileAtomic(file, 'new', 0o644);
  assert.equal(await modeOf(file), 0o644);
});

test('a reader never sees half a file', async t => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'a.pem');
  const contents = ['a'.repeat(300_000), 'b'.repeat(200_000)];
  await writeFileAtomic(file, contents[0] ?? '', 0o644);
  let writing = true;
  const writer = (async () => {
    for (let round = 0; round < 30; round += 1) await writeFileAtomic(file, contents[round % 2] ?? '', 0o644);
    writing = false;
  })();
  let reads = 0;
  while (writing) {
    const seen = await readFile(file, 'utf8');
    assert.ok(contents.includes(seen), `half a file: ${seen.length} characters`);
    reads += 1;
  }
  await writer;
  assert.ok(reads > 0);
});

test('a write that fails leaves the old file and no rest', async t => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'a.key'), 'old');
  const missing = join(directory, 'missing', 'a.pem');
  await assert.rejects(
    writeFilesAtomic([
      { file: join(directory, 'a.key'), content: 'new', mode: 0o600 },
      { file: missing, content: 'new', mode: 0o644 },
    ]),
    { code: 'ENOENT' },
  );
  assert.deepEqual(await readdir(directory), ['a.key']);
  assert.equal(await readFile(join(directory, 'a.key'), 'utf8'), 'old');
});

test('a rename that fails leaves no rest', async t => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'a.pem');
  await mkdir(file);
  await assert.rejects(writeFileAtomic(file, 'new', 0o644));
  assert.deepEqual(await readdir(directory), ['a.pem']);
});

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function modeOf(file: string): Promise<number> {
  return (await stat(file)).mode & 0o777;
}
