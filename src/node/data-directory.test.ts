import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type DataDirectory, openDataDirectory } from './data-directory.ts';

const FAR_FUTURE_MS = 9_000_000_000_000;

test('a missing directory is made, for its owner alone', async t => {
  const directory = join(await temporary(t), 'a', 'b');
  await open(t, directory);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  for (const name of await readdir(directory)) {
    assert.equal((await stat(join(directory, name))).mode & 0o077, 0, `${name} is for its owner alone`);
  }
});

test('the second opener is locked out and told by whom, and the first is not disturbed', async t => {
  const directory = await temporary(t);
  const first = await open(t, directory);
  await assert.rejects(openDataDirectory(directory), (error: { code: string; facts: unknown; message: string }) => {
    assert.equal(error.code, 'data_dir_locked');
    assert.deepEqual(error.facts, { dataDir: directory, pid: process.pid });
    return true;
  });
  assert.equal(await generationIn(directory), first.generation, 'the generation is the one of the holder');
});

test('of many openers at once exactly one gets it', async t => {
  const directory = await temporary(t);
  await writeFile(join(directory, 'lock'), await deadOwner());
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => open(t, directory)));
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const result of results) {
    if (result.status === 'rejected') assert.equal(result.reason.code, 'data_dir_locked');
  }
});

test('a directory that was given back can be opened again', async t => {
  const directory = await temporary(t);
  const first = await openDataDirectory(directory);
  await first.close();
  assert.deepEqual(await readdir(directory), ['generation']);
  await open(t, directory);
});

test('the lock of a process that is gone is taken over', async t => {
  const directory = await temporary(t);
  await writeFile(join(directory, 'lock'), await deadOwner());
  await open(t, directory);
  await assert.rejects(openDataDirectory(directory), { code: 'data_dir_locked' });
});

test('a process number that was given to another process since does not hold the lock', async t => {
  const directory = await temporary(t);
  await writeFile(join(directory, 'lock'), `${process.pid} 1 0000\n`);
  await open(t, directory);
});

for (const content of ['', 'garbage', '0 1 x', '-1 1 x', '1.5 1 x']) {
  test(`a lock file that holds ${JSON.stringify(content)} names nobody and is taken over`, async t => {
    const directory = await temporary(t);
    await writeFile(join(directory, 'lock'), content);
    await open(t, directory);
  });
}

test('whoever closes late does not take the lock of a successor away', async t => {
  const directory = await temporary(t);
  const first = await openDataDirectory(directory);
  await rm(join(directory, 'lock'));
  await open(t, directory);
  await first.close();
  await assert.rejects(openDataDirectory(directory), { code: 'data_dir_locked' });
});

test('the generation grows at each start and is about the time', async t => {
  const directory = await temporary(t);
  const before = Date.now();
  const first = await openDataDirectory(directory);
  await first.close();
  const second = await openDataDirectory(directory);
  await second.close();
  assert.ok(first.generation >= before && first.generation <= Date.now());
  assert.ok(second.generation > first.generation);
});

test('the generation grows also when the clock went back', async t => {
  const directory = await temporary(t);
  await writeFile(join(directory, 'generation'), `${FAR_FUTURE_MS}\n`);
  const { generation } = await open(t, directory);
  assert.equal(generation, FAR_FUTURE_MS + 1);
  assert.equal(await generationIn(directory), FAR_FUTURE_MS + 1);
});

for (const content of ['', 'x', '1e3', '-1', '12345678901234567']) {
  test(`a generation file that holds ${JSON.stringify(content)} is data_dir_unusable, and left as it is`, async t => {
    const directory = await temporary(t);
    await writeFile(join(directory, 'generation'), content);
    await assert.rejects(openDataDirectory(directory), (error: { code: string; message: string }) => {
      assert.equal(error.code, 'data_dir_unusable');
      assert.ok(error.message.includes(join(directory, 'generation')));
      return true;
    });
    assert.equal(await readFile(join(directory, 'generation'), 'utf8'), content);
  });
}

test('a generation file that cannot be read is data_dir_unusable', async t => {
  const directory = await temporary(t);
  await mkdir(join(directory, 'generation'));
  await assert.rejects(openDataDirectory(directory), { code: 'data_dir_unusable' });
});

test('a directory that could not be opened is not left locked', async t => {
  const directory = await temporary(t);
  await writeFile(join(directory, 'generation'), 'x');
  await assert.rejects(openDataDirectory(directory), { code: 'data_dir_unusable' });
  await rm(join(directory, 'generation'));
  await open(t, directory);
});

test('a path that is no directory, or cannot be made, is data_dir_unusable', async t => {
  const directory = await temporary(t);
  const file = join(directory, 'file');
  await writeFile(file, '');
  for (const path of [file, join(file, 'below')]) {
    await assert.rejects(openDataDirectory(path), { code: 'data_dir_unusable' });
  }
});

async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-data-'));
  await chmod(directory, 0o700);
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function open(t: TestContext, directory: string): Promise<DataDirectory> {
  const data = await openDataDirectory(directory);
  t.after(() => data.close());
  return data;
}

async function generationIn(directory: string): Promise<number> {
  return Number(await readFile(join(directory, 'generation'), 'utf8'));
}

/** What a process that has ended wrote into its lock. */
async function deadOwner(): Promise<string> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return `${child.pid} 1 00000000-0000-4000-8000-000000000000\n`;
}

test('a lock that leads nowhere is an error with a remedy, not an endless wait', async t => {
  const directory = await temporary(t);
  await symlink(join(directory, 'nowhere'), join(directory, 'lock'));
  await assert.rejects(openDataDirectory(directory), {
    code: 'data_dir_unusable',
    message: /leads nowhere, remove it/,
  });
});
