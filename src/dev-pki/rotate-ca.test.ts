import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { createAuthority } from './authority.ts';
import type { CaStep } from './ca-step.ts';
import { initCertStore, openCertStore } from './cert-store.ts';
import { type CaRotation, rotateCa } from './rotate-ca.ts';
import { isIssuedBy } from './stored-certificate.ts';

for (const intermediate of [false, true]) {
  const which = intermediate ? 'with an intermediate' : 'without an intermediate';

  test(`after each step every certificate is one of the CA, and new ones are of the root that signs, ${which}`, async t => {
    const directory = await makeStore(t, intermediate);
    const before = await namesOf(directory);
    const added = await done(directory, 'add');
    assert.deepEqual([added.changed, added.issued, added.others.length], [true, [], 1]);
    assert.equal((await stat(join(directory, 'ca-next.key'))).mode & 0o777, 0o600);
    assert.deepEqual(await problemsOf(directory), []);
    assert.deepEqual(await signersOf(directory), ['dev development CA']);

    const switched = await done(directory, 'switch');
    assert.equal(switched.signing.fingerprint, added.others[0]?.fingerprint);
    assert.equal(switched.others[0]?.fingerprint, added.signing.fingerprint);
    assert.deepEqual(switched.issued.map(({ name }) => name).sort(), ['admin-alice', 'node-1', 'node-2']);
    assert.deepEqual(await problemsOf(directory), []);
    assert.deepEqual(await signersOf(directory), ['dev development CA 2']);
    const store = await openCertStore(directory);
    assert.equal(store.clusterName, 'dev');
    await store.issueNode({ nodeName: 'node-3', hosts: [] });
    assert.deepEqual(await signersOf(directory), ['dev development CA 2']);

    const dropped = await done(directory, 'drop');
    assert.deepEqual(dropped.dropped, [added.signing]);
    assert.deepEqual(await problemsOf(directory), []);
    assert.deepEqual(await namesOf(directory), [...before, 'node-3.key', 'node-3.pem'].sort());
  });

  test(`a switch that was interrupted goes on where it was, ${which}`, async t => {
    const directory = await makeStore(t, intermediate);
    await done(directory, 'add');
    const kept = await mkdtemp(join(tmpdir(), 'selvedge-'));
    t.after(() => rm(kept, { recursive: true, force: true }));
    // As after a crash behind the renewal of node-1: node-2 has not been renewed, and the key is not yet cleared away.
    for (const file of ['node-2.pem', 'node-2.key', 'ca-next.key'])
      await copyFile(join(directory, file), join(kept, file));
    await done(directory, 'switch');
    for (const file of ['node-2.pem', 'node-2.key', 'ca-next.key'])
      await copyFile(join(kept, file), join(directory, file));
    const before = await readFile(join(directory, 'node-1.pem'), 'utf8');

    for (const step of ['add', 'drop'] as const) {
      const refusal = await rotateCa(directory, step);
      assert.ok('problem' in refusal);
      assert.equal(refusal.doFirst, 'switch');
    }
    const { changed, issued } = await done(directory, 'switch');
    assert.deepEqual([changed, issued.map(({ name }) => name)], [true, ['node-2']]);
    assert.equal(await readFile(join(directory, 'node-1.pem'), 'utf8'), before);
    assert.deepEqual(await signersOf(directory), ['dev development CA 2']);
    assert.equal((await done(directory, 'drop')).changed, true);
  });
}

test('an add that was interrupted before the root was trusted begins again', async t => {
  const directory = await makeStore(t);
  const { keyPem } = await createAuthority();
  await writeFile(join(directory, 'ca-next.key'), keyPem, { mode: 0o600 });
  assert.equal((await done(directory, 'add')).others.length, 1);
  await done(directory, 'switch');
});

test('the old root is not dropped while a certificate of it is there, which is named', async t => {
  const directory = await makeStore(t);
  await done(directory, 'add');
  const old = await readFile(join(directory, 'node-2.pem'));
  const oldKey = await readFile(join(directory, 'node-2.key'));
  await done(directory, 'switch');
  await writeFile(join(directory, 'node-2.pem'), old);
  await writeFile(join(directory, 'node-2.key'), oldKey);
  const refusal = await rotateCa(directory, 'drop');
  assert.deepEqual(refusal, { problem: 'Not issued by the root that signs: node-2.', doFirst: 'switch' });
  assert.deepEqual(
    (await done(directory, 'switch')).issued.map(({ name }) => name),
    ['node-2'],
  );
  await done(directory, 'drop');
});

test('a CA whose key is not there cannot be replaced', async t => {
  const directory = await makeStore(t);
  await rm(join(directory, 'ca.key'));
  await assert.rejects(
    rotateCa(directory, 'add'),
    error => isSelvedgeError(error, 'credentials_invalid') && error.facts.file === join(directory, 'ca.key'),
  );
});

test('no node takes the name of the key that waits, and a new CA clears it away', async t => {
  const directory = await makeStore(t);
  await done(directory, 'add');
  const store = await openCertStore(directory);
  await assert.rejects(store.issueNode({ nodeName: 'ca-next', hosts: [], force: true }), error =>
    isSelvedgeError(error, 'usage'),
  );
  await initCertStore(directory, { clusterName: 'dev', force: true });
  assert.ok(!(await readdir(directory)).includes('ca-next.key'));
});

test('both roots are listed while both are trusted, the one that signs first', async t => {
  const directory = await makeStore(t);
  await done(directory, 'add');
  const roots = async () =>
    (await (await openCertStore(directory)).list())
      .filter(({ kind }) => kind === 'ca')
      .map(({ commonName, hasKey }) => [commonName, hasKey]);
  assert.deepEqual(await roots(), [
    ['dev development CA', true],
    ['dev development CA 2', true],
  ]);
  await done(directory, 'switch');
  assert.deepEqual(await roots(), [
    ['dev development CA 2', true],
    ['dev development CA', false],
  ]);
});

async function done(directory: string, step: CaStep): Promise<CaRotation> {
  const rotation = await rotateCa(directory, step);
  assert.ok(!('problem' in rotation), JSON.stringify(rotation));
  return rotation;
}

async function makeStore(t: TestContext, intermediate = false): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const store = await initCertStore(directory, { clusterName: 'dev', intermediate });
  for (const nodeName of ['node-1', 'node-2']) await store.issueNode({ nodeName, hosts: [] });
  await store.issueAdmin({ adminName: 'alice' });
  return directory;
}

async function namesOf(directory: string): Promise<string[]> {
  return (await readdir(directory)).sort();
}

async function problemsOf(directory: string): Promise<string[]> {
  return (await (await openCertStore(directory)).list()).flatMap(({ name, problems }) =>
    problems.map(problem => `${name}: ${problem}`),
  );
}

/** Common names of the roots that all nodes and admins lead to, through the chain in their files. */
async function signersOf(directory: string): Promise<(string | undefined)[]> {
  const pems = (text: string) => text.split(/(?<=-----END CERTIFICATE-----\n)/).map(pem => new X509Certificate(pem));
  const roots = pems(await readFile(join(directory, 'ca.pem'), 'utf8'));
  const names = new Set<string | undefined>();
  for (const { kind, file } of await (await openCertStore(directory)).list()) {
    if (kind !== 'node' && kind !== 'admin') continue;
    const chain = pems(await readFile(file, 'utf8'));
    for (const [index, certificate] of chain.slice(0, -1).entries()) {
      const issuer = chain[index + 1];
      assert.ok(issuer !== undefined && isIssuedBy(certificate, issuer), file);
    }
    const last = chain.at(-1);
    const root = roots.find(candidate => last !== undefined && isIssuedBy(last, candidate));
    names.add(root?.subject.replace('CN=', ''));
  }
  return [...names];
}
