import assert from 'node:assert/strict';
import { link, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../test/kit/until.ts';
import { watchFiles } from './file-watcher.ts';

async function makeDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-watch-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

interface Watched {
  changes(): number;
  /** Does something to the files and waits until a change was reported. */
  afterChange(change: () => Promise<unknown>): Promise<void>;
}

async function watched(t: TestContext, files: readonly string[]): Promise<Watched> {
  let changes = 0;
  const errors: unknown[] = [];
  const watcher = watchFiles({
    files,
    settleMs: 20,
    onChange: () => {
      changes += 1;
    },
    onError: error => errors.push(error),
  });
  t.after(async () => {
    await watcher.close();
    assert.deepEqual(errors, []);
  });
  await watcher.ready;
  return {
    changes: () => changes,
    afterChange: async change => {
      const before = changes;
      await change();
      await until('a change is reported', () => changes > before);
    },
  };
}

test('a file that is written over is a change, again and again', async t => {
  const file = join(await makeDirectory(t), 'node.pem');
  await writeFile(file, 'one');
  const watch = await watched(t, [file]);
  for (const text of ['two', 'three', 'six']) await watch.afterChange(() => writeFile(file, text));
});

test('a file that another one is renamed over is a change, again and again', async t => {
  const directory = await makeDirectory(t);
  const file = join(directory, 'node.pem');
  await writeFile(file, 'one');
  const watch = await watched(t, [file]);
  for (const text of ['two', 'three', 'four'])
    await watch.afterChange(async () => {
      await writeFile(join(directory, 'node.pem.tmp'), text);
      await rename(join(directory, 'node.pem.tmp'), file);
    });
});

test('a file that is removed and made again is two changes', async t => {
  const file = join(await makeDirectory(t), 'node.pem');
  await writeFile(file, 'one');
  const watch = await watched(t, [file]);
  await watch.afterChange(() => rm(file));
  await watch.afterChange(() => writeFile(file, 'one'));
});

test('a directory link that is turned elsewhere, as Kubernetes does, is a change, again and again', async t => {
  const directory = await makeDirectory(t);
  const publish = async (version: string): Promise<void> => {
    await mkdir(join(directory, `..${version}`));
    await writeFile(join(directory, `..${version}`, 'tls.crt'), version);
    await symlink(`..${version}`, join(directory, '..data_tmp'));
    await rename(join(directory, '..data_tmp'), join(directory, '..data'));
  };
  await publish('1');
  await symlink(join('..data', 'tls.crt'), join(directory, 'tls.crt'));
  const watch = await watched(t, [join(directory, 'tls.crt')]);
  for (const version of ['2', '3', '4'])
    await watch.afterChange(async () => {
      await publish(version);
      await rm(join(directory, `..${Number(version) - 1}`), { recursive: true });
    });
});

test('a change behind a link into another directory is seen, also after the link was turned', async t => {
  const [here, there, elsewhere] = [await makeDirectory(t), await makeDirectory(t), await makeDirectory(t)];
  await writeFile(join(there, 'cert.pem'), 'one');
  await writeFile(join(elsewhere, 'cert.pem'), 'two');
  await symlink(join(there, 'cert.pem'), join(here, 'cert.pem'));
  const watch = await watched(t, [join(here, 'cert.pem')]);
  await watch.afterChange(() => writeFile(join(there, 'cert.pem'), 'changed'));
  await watch.afterChange(async () => {
    await symlink(join(elsewhere, 'cert.pem'), join(here, 'next'));
    await rename(join(here, 'next'), join(here, 'cert.pem'));
  });
  await watch.afterChange(() => writeFile(join(elsewhere, 'cert.pem'), 'changed too'));
});

test('a file in a directory that does not exist yet is seen when both are made', async t => {
  const directory = await makeDirectory(t);
  const file = join(directory, 'a', 'b', 'node.pem');
  const watch = await watched(t, [file]);
  await watch.afterChange(async () => {
    await mkdir(join(directory, 'a', 'b'), { recursive: true });
    await writeFile(file, 'one');
  });
  await watch.afterChange(() => writeFile(file, 'two'));
});

test('a directory that is replaced as a whole is still watched, by two watchers at once', async t => {
  const directory = await makeDirectory(t);
  const certs = join(directory, 'certs');
  const file = join(certs, 'node.pem');
  await mkdir(certs);
  await writeFile(file, 'one');
  const [one, two] = [await watched(t, [file]), await watched(t, [file])];
  const afterBoth = (change: () => Promise<unknown>): Promise<void> => one.afterChange(() => two.afterChange(change));
  await afterBoth(async () => {
    await mkdir(join(directory, 'next'));
    await writeFile(join(directory, 'next', 'node.pem'), 'two');
    await rename(certs, join(directory, 'old'));
    await rename(join(directory, 'next'), certs);
  });
  await afterBoth(() => writeFile(file, 'three'));
});

test('a directory that is removed and made again is still watched', async t => {
  const certs = join(await makeDirectory(t), 'certs');
  const file = join(certs, 'node.pem');
  await mkdir(certs);
  await writeFile(file, 'one');
  const watch = await watched(t, [file]);
  for (const text of ['two', 'three'])
    await watch.afterChange(async () => {
      await rm(certs, { recursive: true });
      await mkdir(certs);
      await writeFile(file, text);
    });
  await watch.afterChange(() => writeFile(file, 'four'));
});

test('a change that the system does not tell of is found by polling', async t => {
  const [here, there] = [await makeDirectory(t), await makeDirectory(t)];
  const file = join(here, 'node.pem');
  await writeFile(join(there, 'node.pem'), 'one');
  await link(join(there, 'node.pem'), file);
  let changes = 0;
  const watcher = watchFiles({ files: [file], settleMs: 5, pollMs: 20, onChange: () => (changes += 1) });
  t.after(() => watcher.close());
  await watcher.ready;
  for (const text of ['two', 'three']) {
    const before = changes;
    // Through its other name: a watch on the directory `here` has no event of it.
    await writeFile(join(there, 'node.pem'), text);
    await until('the change is found', () => changes > before);
  }
});

test('what happens beside the files is not reported', async t => {
  const directory = await makeDirectory(t);
  const file = join(directory, 'node.pem');
  await writeFile(file, 'one');
  const watch = await watched(t, [file]);
  for (let round = 0; round < 20; round++) await writeFile(join(directory, `other-${round}`), 'noise');
  // A real change after the noise is the first one reported.
  await watch.afterChange(() => writeFile(file, 'two'));
  assert.equal(watch.changes(), 1);
});

test('onChange never runs twice at a time, and what changed meanwhile is reported afterwards', async t => {
  const file = join(await makeDirectory(t), 'node.pem');
  await writeFile(file, 'one');
  let running = 0;
  let most = 0;
  let calls = 0;
  let release: () => void = () => {};
  const watcher = watchFiles({
    files: [file],
    settleMs: 20,
    onChange: async () => {
      calls += 1;
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>(resolve => {
        release = resolve;
      });
      running -= 1;
    },
  });
  t.after(() => watcher.close());
  await watcher.ready;
  await writeFile(file, 'two');
  await until('the first change', () => calls === 1);
  await writeFile(file, 'three');
  release();
  await until('the second change', () => calls === 2);
  release();
  assert.equal(most, 1);
});

test('after close nothing is reported', async t => {
  const file = join(await makeDirectory(t), 'node.pem');
  await writeFile(file, 'one');
  let changes = 0;
  const watcher = watchFiles({ files: [file], settleMs: 1, onChange: () => (changes += 1) });
  await watcher.ready;
  await writeFile(file, 'two');
  await watcher.close();
  const atClose = changes;
  const other = await watched(t, [file]);
  await other.afterChange(() => writeFile(file, 'three'));
  assert.equal(changes, atClose);
});

test('a callback that fails is told and does not end the watching', async t => {
  const file = join(await makeDirectory(t), 'node.pem');
  await writeFile(file, 'one');
  const errors: unknown[] = [];
  const watcher = watchFiles({
    files: [file],
    settleMs: 20,
    onChange: () => Promise.reject(new Error('no')),
    onError: error => errors.push(error),
  });
  t.after(() => watcher.close());
  await watcher.ready;
  await writeFile(file, 'two');
  await until('the first failure', () => errors.length === 1);
  await writeFile(file, 'three');
  await until('the second failure', () => errors.length === 2);
});
