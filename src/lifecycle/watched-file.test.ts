import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../test/kit/until.ts';
import { writeFileAtomic } from './atomic-write.ts';
import { openWatchedFile, type WatchedFile } from './watched-file.ts';

test('a changed file is taken, and told', async t => {
  const { file, watched, told } = await open(t, 'one');
  assert.equal(watched.content.value, 'one');
  await writeFileAtomic(file, 'two', 0o600);
  await until('it is taken', () => watched.content.value === 'two');
  assert.deepEqual(told, ['two']);
});

test('what is broken or gone keeps what was read before, and good again is told though it is the same', async t => {
  const { file, watched, told } = await open(t, 'one');
  await writeFileAtomic(file, 'broken', 0o600);
  await until('it is told', () => told.length === 1);
  await rm(file);
  await until('it is told', () => told.length === 2);
  assert.equal(watched.content.value, 'one');
  await writeFileAtomic(file, 'one', 0o600);
  await until('it is told', () => told.length === 3);
  assert.deepEqual([told[0], told[2]], ['broken!', 'one']);
  assert.match(told[1] ?? '', /ENOENT/);
});

test('a file that is written again with the same content is not told', async t => {
  const { file, watched, told } = await open(t, 'one');
  await writeFileAtomic(file, 'one', 0o600);
  await writeFileAtomic(file, 'two', 0o600);
  await until('the next change is taken', () => watched.content.value === 'two');
  assert.deepEqual(told, ['two']);
});

test('what changes while it is read for the first time is not missed', async t => {
  const file = await fileWith(t, 'one');
  const read: string[] = [];
  const watched = await openWatchedFile({
    file,
    load: async path => {
      const text = await readFile(path, 'utf8');
      read.push(text);
      if (read.length === 1) await writeFileAtomic(path, 'two', 0o600);
      return text;
    },
    isSame: (next, present) => next === present,
    onReload: () => {},
  });
  t.after(() => watched.close());
  await until('it is taken', () => watched.content.value === 'two');
  assert.deepEqual(read, ['one', 'two']);
});

test('a first reading that fails rejects with its error', async t => {
  const file = await fileWith(t, 'broken');
  await assert.rejects(openText(file, []), /broken!/);
});

test('after its close nothing is taken or told any more', async t => {
  const { file, watched, told } = await open(t, 'one');
  await watched.close();
  await writeFile(file, 'two');
  const other = await openText(file, []);
  t.after(() => other.close());
  assert.deepEqual([watched.content.value, told], ['one', []]);
});

async function open(
  t: TestContext,
  text: string,
): Promise<{ file: string; watched: WatchedFile<string>; told: string[] }> {
  const file = await fileWith(t, text);
  const told: string[] = [];
  const watched = await openText(file, told);
  t.after(() => watched.close());
  return { file, watched, told };
}

function openText(file: string, told: string[]): Promise<WatchedFile<string>> {
  return openWatchedFile({
    file,
    load: async path => {
      const text = await readFile(path, 'utf8');
      if (text === 'broken') throw new Error('broken!');
      return text;
    },
    isSame: (next, present) => next === present,
    onReload: reading => told.push('content' in reading ? reading.content : String((reading.error as Error).message)),
  });
}

async function fileWith(t: TestContext, text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-watched-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'file');
  await writeFile(file, text);
  return file;
}
