import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createAuthority } from '../dev-pki/authority.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { readOneGeneration } from './directory-source.ts';
import { loadSnapshot } from './load-snapshot.ts';
import { openCredentialSource } from './open-credential-source.ts';

test('a directory is read in one generation, however fast it is turned', async t => {
  const directory = await makeDirectory(t);
  const { issue, anchorsPem } = await createAuthority();
  const sets = [await issue({ commonName: 'one' }), await issue({ commonName: 'two' })];
  const turn = async (to: number): Promise<void> => {
    await symlink(`..${to % 2}`, join(directory, '..data_tmp'));
    await rename(join(directory, '..data_tmp'), join(directory, '..data'));
  };
  for (const [index, { certPem, keyPem }] of sets.entries()) {
    await mkdir(join(directory, `..${index}`));
    const files = { 'tls.crt': certPem, 'tls.key': keyPem, 'ca.crt': anchorsPem };
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, `..${index}`, name), text);
  }
  for (const name of ['tls.crt', 'tls.key', 'ca.crt']) await symlink(`..data/${name}`, join(directory, name));
  await turn(0);

  let isDone = false;
  const turning = (async () => {
    for (let to = 1; !isDone; to++) {
      await turn(to);
      await new Promise(resolve => setTimeout(resolve, to % 5));
    }
  })();
  const seen = new Set<string | undefined>();
  const source = await openDirectory(directory);
  for (let look = 0; look < 50 || seen.size < 2; look++) {
    const reading = await source.read();
    // Turned again and again while it is read: said so, and not half of each.
    if (!reading.ok) {
      assert.match(reading.problems[0]?.problem ?? '', /^was replaced 5 times while it was read$/);
      continue;
    }
    const loading = await loadSnapshot({ read: async () => reading }, undefined, new Date());
    assert.equal(loading.result, 'ok');
    if (loading.result === 'ok') seen.add(loading.snapshot.own.identity.commonName);
  }
  isDone = true;
  await turning;
  assert.deepEqual([...seen].toSorted(), ['one', 'two']);
});

test('what was read while the generation changed is read again, five times at most', async () => {
  const reads: string[] = [];
  const read = async (generation: string) => {
    reads.push(generation);
    return `read ${generation}`;
  };
  const turned = ['a', 'b', 'c', 'c', 'd'];
  assert.equal(await readOneGeneration(async () => turned.shift() ?? '', read), 'read c');
  assert.deepEqual(reads, ['a', 'b', 'c']);
  let turns = 0;
  assert.equal(await readOneGeneration(async () => String(turns++), read), undefined);
  assert.equal(reads.length, 3 + 5);
});

test('the files are those behind ..data, and not where their links happen to lead', async t => {
  const directory = await makeDirectory(t);
  for (const generation of ['..1', '..2']) {
    await mkdir(join(directory, generation));
    for (const name of ['tls.crt', 'tls.key', 'ca.crt', 'ca.crl'])
      await writeFile(join(directory, generation, name), `${name} of ${generation}`);
  }
  await symlink('..2', join(directory, '..data'));
  for (const name of ['tls.crt', 'tls.key']) await symlink(join('..1', name), join(directory, name));
  const parts = { watch: false, onChange: () => {}, logger: silentLogger };
  const spec = { kind: 'directory', directory, caFiles: [], crlFiles: [join(directory, 'ca.crl')] } as const;
  const reading = await (await openCredentialSource(spec, parts)).read();
  assert.ok(reading.ok);
  const { cert, key, ca, crl } = reading.bytes;
  for (const [content, name] of [
    [cert, 'tls.crt'],
    [key, 'tls.key'],
    [ca[0], 'ca.crt'],
    [crl[0], 'ca.crl'],
  ] as const) {
    assert.equal(content?.file, join(directory, name));
    assert.equal(Buffer.from(content?.bytes ?? []).toString(), `${name} of ..2`);
  }
});

test('what a directory lacks is said in the words of its layout', async t => {
  const directory = await makeDirectory(t);
  const problems = async (caFiles: readonly string[] = []) => {
    const reading = await (await openDirectory(directory, caFiles)).read();
    return reading.ok ? [] : reading.problems.map(({ file, problem }) => `${file}: ${problem}`);
  };
  const write = (name: string) => writeFile(join(directory, name), 'text');
  assert.deepEqual(await problems(), [
    `${directory}: holds no credentials: looked for svid.pem with svid_key.pem and svid_bundle.pem, and for tls.crt with tls.key and ca.crt`,
  ]);
  await write('tls.crt');
  assert.deepEqual(await problems(), [
    `${join(directory, 'tls.key')}: is missing`,
    `${join(directory, 'ca.crt')}: is missing: who gives no CA with the certificate needs a CA file beside it`,
  ]);
  await write('tls.key');
  await write('other-ca.pem');
  assert.deepEqual(await problems([join(directory, 'other-ca.pem')]), []);
  await write('svid_key.pem');
  assert.match((await problems())[0] ?? '', /holds two sets of credentials.*svid\.pem.*tls\.crt/);
  await rm(directory, { recursive: true });
  assert.deepEqual(await problems(), [`${directory}: is missing`]);
  await writeFile(directory, 'a file');
  assert.match((await problems())[0] ?? '', /ENOTDIR|is not a directory/);
});

test('files of a mount that never changes are warned of', async t => {
  const directory = await makeDirectory(t);
  const mountInfo = join(directory, 'mountinfo');
  for (const name of ['tls.crt', 'tls.key', 'ca.crt']) await writeFile(join(directory, name), 'text');
  await writeFile(
    mountInfo,
    `1 2 0:1 /..2025_01_31_10_20_30.1/tls.key ${join(directory, 'tls.key')} ro - tmpfs t rw\n`,
  );
  const reading = await (await openDirectory(directory, [], mountInfo)).read();
  assert.ok(reading.ok);
  assert.equal(reading.warnings?.length, 1);
  assert.match(reading.warnings[0] ?? '', /tls\.key: is a mount point of its own/);
});

function openDirectory(directory: string, caFiles: readonly string[] = [], mountInfo?: string) {
  const parts = { watch: false, onChange: () => {}, logger: silentLogger, ...(mountInfo && { mountInfo }) };
  return openCredentialSource({ kind: 'directory', directory, caFiles, crlFiles: [] }, parts);
}

async function makeDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-directory-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
