import assert from 'node:assert/strict';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { type CredentialDirectory, makeCredentialDirectory } from '../../test/kit/credential-directory.ts';
import { openStore, recordingLogger } from '../../test/kit/open-store.ts';
import { until } from '../../test/kit/until.ts';
import { createAuthority } from '../dev-pki/authority.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { createLogger } from '../telemetry/logger.ts';
import { describeProblems } from './credential-problem.ts';
import type { ReloadResult, ReloadTrigger } from './credentials-store.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const isInvalid = (error: unknown): boolean => isSelvedgeError(error, 'credentials_invalid');

test('the first set is generation 1', async t => {
  const store = await openStore(t, await makeCredentialDirectory(t));
  assert.equal(store.snapshot.value.generation, 1);
  assert.equal(store.state.value.lastResult, 'ok');
  assert.deepEqual(store.state.value.problems, []);
});

test('a store does not open on a set that cannot be used', async t => {
  const directory = await makeCredentialDirectory(t);
  await directory.write('node.pem', 'garbage');
  await assert.rejects(openStore(t, directory, { watch: true }), isInvalid);
});

test('new files make one new snapshot, told to subscribers', async t => {
  const directory = await makeCredentialDirectory(t);
  const store = await openStore(t, directory);
  const generations: number[] = [];
  store.snapshot.subscribe(({ generation }) => generations.push(generation));
  await directory.renew({ commonName: 'renewed' });
  assert.deepEqual(await store.reload('signal'), { result: 'ok', generation: 2, problems: [] });
  assert.equal(store.snapshot.value.own.identity.commonName, 'renewed');
  assert.deepEqual(generations, [2]);
});

test('equal bytes publish nothing', async t => {
  const directory = await makeCredentialDirectory(t);
  const store = await openStore(t, directory);
  const before = store.snapshot.value;
  assert.deepEqual(await store.reload('poll'), { result: 'unchanged', generation: 1, problems: [] });
  assert.equal(store.snapshot.value, before);
  assert.equal(store.state.value.lastResult, 'unchanged');
});

const badness: { readonly [kind: string]: (directory: CredentialDirectory) => Promise<unknown> } = {
  'a certificate of garbage': directory => directory.write('node.pem', 'garbage'),
  'an empty certificate': directory => directory.write('node.pem', ''),
  'a missing certificate': directory => rm(directory.path('node.pem')),
  'a key of garbage': directory => directory.write('node.key', 'garbage'),
  'an empty key': directory => directory.write('node.key', ''),
  'a missing key': directory => rm(directory.path('node.key')),
  'a key that does not match': async directory =>
    directory.write('node.key', (await directory.authority.issue({ commonName: 'other' })).keyPem),
  'a certificate that is cut off': async directory =>
    directory.write('node.pem', (await directory.authority.issue({ commonName: 'x' })).certPem.slice(0, 300)),
  'an expired certificate': directory => directory.renew({ commonName: 'x', notAfter: new Date(Date.now() - DAY_MS) }),
  'a certificate of the future': directory =>
    directory.renew({ commonName: 'x', notBefore: new Date(Date.now() + DAY_MS) }),
  'a CA certificate': directory => directory.renew({ commonName: 'x', isCa: true }),
  'a CA file of garbage': directory => directory.write('ca.pem', 'garbage'),
  'an empty CA file': directory => directory.write('ca.pem', ''),
  'a missing CA file': directory => rm(directory.path('ca.pem')),
  'a CRL of garbage': directory => directory.write('ca.crl', 'garbage'),
  'a missing CRL': directory => rm(directory.path('ca.crl')),
};

for (const [kind, makeBad] of Object.entries(badness))
  test(`a bad set never replaces a good one: ${kind}`, async t => {
    const directory = await makeCredentialDirectory(t, { revoked: [] });
    const store = await openStore(t, directory);
    const good = store.snapshot.value;
    await makeBad(directory);
    const { result, generation, problems } = await store.reload('signal');
    assert.equal(result, 'failed');
    assert.equal(generation, 1);
    assert.notEqual(problems.length, 0);
    assert.equal(store.snapshot.value, good);
    assert.equal(store.state.value.lastResult, 'failed');
    assert.deepEqual(store.state.value.problems, problems);
  });

test('a set that becomes good again is taken without being asked, and the state is clean', async t => {
  const directory = await makeCredentialDirectory(t);
  const store = await openStore(t, directory);
  await directory.write('node.pem', 'garbage');
  assert.equal((await store.reload('signal')).result, 'failed');
  await directory.renew({ commonName: 'renewed' });
  await until('the set is read again', () => store.snapshot.value.generation === 2);
  assert.deepEqual(store.state.value.problems, []);
});

test('a problem that stays is logged once, a new one again, and its end too', async t => {
  const directory = await makeCredentialDirectory(t);
  const { events, logger } = recordingLogger();
  const { keyPem, certPem } = await directory.authority.issue({ commonName: 'node-1' });
  await directory.write('node.key', keyPem);
  await directory.write('node.pem', certPem);
  const store = await openStore(t, directory, { logger });
  await directory.write('node.pem', 'garbage');
  for (let time = 0; time < 3; time++) await store.reload('poll');
  await directory.write('node.pem', '');
  for (let time = 0; time < 3; time++) await store.reload('poll');
  await directory.write('node.pem', certPem);
  await store.reload('poll');
  await store.reload('poll');
  assert.deepEqual(events, ['tls.loaded', 'tls.reload_failed', 'tls.reload_failed', 'tls.reload_recovered']);
});

test('a warning is logged with the snapshot it belongs to', async t => {
  const directory = await makeCredentialDirectory(t);
  await chmod(directory.path('node.key'), 0o644);
  const { events, logger } = recordingLogger();
  const store = await openStore(t, directory, { logger });
  await store.reload('poll');
  assert.deepEqual(events, ['tls.loaded', 'tls.credentials_warning']);
});

test('nothing that is logged holds a line of the key', async t => {
  const directory = await makeCredentialDirectory(t);
  const lines: string[] = [];
  const logger = createLogger({ level: 'trace', write: line => lines.push(line) });
  const store = await openStore(t, directory, { logger });
  const { keyPem, certPem } = await directory.authority.issue({ commonName: 'other' });
  await directory.write('node.key', keyPem.replace('-----END', 'damaged !\n-----END'));
  await store.reload('signal');
  await directory.write('node.key', keyPem);
  await store.reload('signal');
  await directory.write('node.pem', certPem);
  await store.reload('signal');
  for (const line of keyPem.split('\n').filter(text => text !== '' && !text.startsWith('--')))
    assert.ok(!lines.join('').includes(line));
});

test('every reload is told with its trigger and result', async t => {
  const directory = await makeCredentialDirectory(t);
  const told: [ReloadTrigger, ReloadResult['result']][] = [];
  const store = await openStore(t, directory, { onReload: (trigger, { result }) => told.push([trigger, result]) });
  await store.reload('admin');
  await directory.write('ca.pem', '');
  await store.reload('signal');
  assert.deepEqual(told, [
    ['start', 'ok'],
    ['admin', 'unchanged'],
    ['signal', 'failed'],
  ]);
});

test('reloads that are asked for at once run one after another', async t => {
  const directory = await makeCredentialDirectory(t);
  const store = await openStore(t, directory);
  await directory.renew({ commonName: 'renewed' });
  const results = await Promise.all((['signal', 'admin', 'poll'] as const).map(trigger => store.reload(trigger)));
  assert.deepEqual(
    results.map(({ result, generation }) => [result, generation]),
    [
      ['ok', 2],
      ['unchanged', 2],
      ['unchanged', 2],
    ],
  );
});

test('files are read again after each interval without an event', async t => {
  const directory = await makeCredentialDirectory(t);
  const store = await openStore(t, directory, { refreshIntervalMs: 10 });
  await directory.renew({ commonName: 'renewed' });
  await until('the new set is taken', () => store.snapshot.value.own.identity.commonName === 'renewed');
});

test('with watching, a change on disk is taken at once: renamed over, written over, removed and put back', async t => {
  const directory = await makeCredentialDirectory(t);
  const store = await openStore(t, directory, { watch: true });
  const isNamed = (name: string) => (): boolean => store.snapshot.value.own.identity.commonName === name;
  await directory.renew({ commonName: 'renamed over' });
  await until('the renamed set is taken', isNamed('renamed over'));

  const { certPem, keyPem } = await directory.authority.issue({ commonName: 'written over' });
  await writeFile(directory.path('node.key'), keyPem);
  await writeFile(directory.path('node.pem'), certPem);
  await until('the written set is taken', isNamed('written over'));

  await rm(directory.path('node.pem'));
  await until('the loss is noticed', () => store.state.value.lastResult === 'failed');
  assert.ok(isNamed('written over')());
  await directory.renew({ commonName: 'put back' });
  await until('the set that was put back is taken', isNamed('put back'));
});

test('the clock that is given decides what is expired', async t => {
  const directory = await makeCredentialDirectory(t);
  const now = (): Date => new Date(Date.now() + 365 * DAY_MS);
  await assert.rejects(openStore(t, directory, { now }), isInvalid);
});

test('a store that takes the place of another counts on from there, and publishes nothing for equal bytes', async t => {
  const authority = await createAuthority();
  const [here, there] = [
    await makeCredentialDirectory(t, { authority }),
    await makeCredentialDirectory(t, { authority }),
  ];
  const store = await openStore(t, here);
  assert.equal((await openStore(t, there, { previous: store.snapshot.value })).snapshot.value.generation, 2);
  const same = await openStore(t, here, { previous: store.snapshot.value });
  assert.equal(same.snapshot.value, store.snapshot.value);
  assert.equal(same.state.value.lastResult, 'ok');
});

test('equal bytes at another place are the same set, told with the place where they lie now', async t => {
  const [here, there] = [await makeCredentialDirectory(t), await makeCredentialDirectory(t)];
  const store = await openStore(t, here);
  for (const name of ['node.pem', 'node.key', 'ca.pem'] as const)
    await there.write(name, await readFile(here.path(name), 'utf8'));
  const moved = await openStore(t, there, { previous: store.snapshot.value });
  const { own, generation } = moved.snapshot.value;
  assert.deepEqual([own.place, generation], [there.path('node.pem'), 1]);
  assert.equal(moved.snapshot.value.secureContext('TLSv1.3'), store.snapshot.value.secureContext('TLSv1.3'));
  assert.equal((await moved.reload('admin')).result, 'unchanged');
});

test('a set that would lose what the one in use has is not taken: its own anchors, a usage', async t => {
  const directory = await makeCredentialDirectory(t);
  const store = await openStore(t, directory);
  const stranger = await (await createAuthority()).issue({ commonName: 'node-1' });
  await directory.write('node.key', stranger.keyPem);
  await directory.write('node.pem', stranger.certPem);
  const { result, problems } = await store.reload('signal');
  assert.equal(result, 'failed');
  assert.match(problems[0]?.problem ?? '', /none of our own trust anchors \(.*ca\.pem\) vouches for the certificate/);
  await directory.renew({ commonName: 'node-1', usage: 'server' });
  assert.match((await store.reload('signal')).problems[0]?.problem ?? '', /lacks clientAuth/);
  assert.equal(store.snapshot.value.generation, 1);
});

test('where only the CA file is another one, the CA file is named, and not the certificate', async t => {
  const directory = await makeCredentialDirectory(t);
  const store = await openStore(t, directory);
  await directory.write('ca.pem', (await createAuthority()).anchorsPem);
  const { result, problems } = await store.reload('signal');
  assert.equal(result, 'failed');
  assert.deepEqual(
    problems.map(({ file }) => file),
    directory.files.caFiles,
  );
  assert.match(problems[0]?.problem ?? '', /none of these trust anchors vouches for our own certificate .*node\.pem/);
});

test('a set that was so from the start may stay so', async t => {
  const directory = await makeCredentialDirectory(t, { request: { commonName: 'node-1', usage: 'server' } });
  const other = await createAuthority();
  await directory.write('ca.pem', other.anchorsPem);
  const store = await openStore(t, directory);
  await directory.renew({ commonName: 'renewed', usage: 'server' });
  assert.equal((await store.reload('signal')).result, 'ok');
});

test('a set whose trial finds something keeps the old one, and is tried again', async t => {
  const directory = await makeCredentialDirectory(t);
  let objection: string | undefined = 'node-2 would not admit it';
  const trial = () => Promise.resolve(objection === undefined ? [] : [{ file: 'canary', problem: objection }]);
  const store = await openStore(t, directory, { trial });
  await directory.renew({ commonName: 'renewed' });
  assert.deepEqual((await store.reload('signal')).problems, [{ file: 'canary', problem: 'node-2 would not admit it' }]);
  assert.equal(store.state.value.problems[0]?.problem, 'node-2 would not admit it');
  objection = undefined;
  await until('tried again by itself', () => store.snapshot.value.own.identity.commonName === 'renewed');
});

test('after close nothing is read, and the last snapshot stays readable', async t => {
  const directory = await makeCredentialDirectory(t);
  const told: ReloadTrigger[] = [];
  const store = await openStore(t, directory, {
    watch: true,
    refreshIntervalMs: 5,
    onReload: trigger => told.push(trigger),
  });
  await store.close();
  const count = told.length;
  await directory.renew({ commonName: 'renewed' });
  assert.deepEqual(await store.reload('signal'), { result: 'unchanged', generation: 1, problems: [] });
  assert.equal(store.snapshot.value.own.identity.commonName, 'node-1');
  assert.equal(told.length, count);
});

test('a problem whose words differ each time is logged once, and shown in its last words', async t => {
  const directory = await makeCredentialDirectory(t);
  const lines: string[] = [];
  let asked = 0;
  const trial = async () => {
    asked += 1;
    return [{ file: 'f', problem: `node-2 would refuse it: unknown_ca: word ${asked}`, gist: 'node-2: unknown_ca' }];
  };
  const store = await openStore(t, directory, { trial, logger: createLogger({ write: line => lines.push(line) }) });
  await directory.renew();
  for (let looks = 0; looks < 3; looks += 1) await store.reload('poll');
  const failures = lines.filter(line => line.includes('tls.reload_failed'));
  assert.equal(failures.length, 1);
  assert.match(failures[0] ?? '', /word 1/);
  assert.doesNotMatch(failures[0] ?? '', /gist/);
  assert.match(describeProblems(store.state.value.problems), /word [2-9]$/);
});
