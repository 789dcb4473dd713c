import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { makeCredentialDirectory } from '../../test/kit/credential-directory.ts';
import { tlsSettings } from '../../test/kit/tls-settings.ts';
import type { FilesSpec } from '../credentials/file-source.ts';
import { createLogger, silentLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { CredentialSet, type CredentialTrial, type TryCredentials } from './credential-set.ts';
import type { TlsProfileSettings, TlsSettings } from './node-settings.ts';

test('without settings there is nothing to show and nothing open', async t => {
  const { set } = setUp(t);
  await set.adopt(undefined);
  assert.equal(set.server.value, undefined);
  assert.deepEqual(set.used, []);
  assert.deepEqual(await set.reload('admin'), { result: 'unchanged', problems: [], generation: 0 });
});

test('uses of the same files share one store, which goes by the name of the first', async t => {
  const { set } = setUp(t);
  const [one, two] = [await files(t, 'one'), await files(t, 'two')];
  await set.adopt(tls({ server: one, profiles: [two, one] }));
  assert.deepEqual(
    set.used.map(({ usage }) => usage),
    ['server', 'profile 1'],
  );
  assert.equal(set.storeOf({ ...one }), set.used[0]?.store);
  assert.equal(set.server.value?.own.identity.commonName, 'one');
});

test('a set that cannot be read changes nothing, whichever of them it is', async t => {
  const { set } = setUp(t);
  const [good, other, missing] = [await files(t, 'good'), await files(t, 'other'), await files(t, 'missing')];
  await rm(missing.keyFile);
  await set.adopt(tls({ server: good }));
  const before = { used: set.used, server: set.server.value };
  for (const next of [
    tls({ server: missing }),
    tls({ server: other, client: missing }),
    tls({ server: other, profiles: [missing] }),
  ]) {
    await assert.rejects(set.adopt(next), { code: 'credentials_invalid' });
    assert.equal(set.server.value, before.server);
    assert.deepEqual(
      set.used.map(({ usage, store }) => [usage, store]),
      before.used.map(({ usage, store }) => [usage, store]),
    );
    assert.throws(() => set.storeOf(other), TypeError, 'what was opened on the way is let go of');
  }
  assert.equal((await set.reload('admin')).result, 'unchanged', 'the old set still works');
});

test('what is no longer named is let go, what stays is not read anew', async t => {
  const { set } = setUp(t);
  const [one, two] = [await files(t, 'one'), await files(t, 'two')];
  await set.adopt(tls({ server: one, client: two }));
  const kept = set.storeOf(two);
  const dropped = set.storeOf(one);
  await set.adopt(tls({ server: two }));
  assert.equal(set.storeOf(two), kept);
  assert.throws(() => set.storeOf(one), TypeError);
  assert.equal((await dropped.reload('admin')).result, 'unchanged', 'closed');
  assert.equal(set.server.value?.own.identity.commonName, 'two');
});

test('the listener follows the store of the server, and no other, through renewals and changes', async t => {
  const { set } = setUp(t);
  const one = await makeCredentialDirectory(t, { request: { commonName: 'one' } });
  const two = await makeCredentialDirectory(t, { request: { commonName: 'two' } });
  const shown: (string | undefined)[] = [];
  await set.adopt(tls({ server: one.spec, client: two.spec }));
  set.server.subscribe(snapshot => shown.push(snapshot?.own.identity.commonName));
  await one.renew({ commonName: 'one renewed' });
  await two.renew({ commonName: 'two renewed' });
  assert.equal((await set.reload('admin')).result, 'ok');
  await set.adopt(tls({ server: two.spec }));
  await set.adopt(undefined);
  assert.deepEqual(shown, ['one renewed', 'two renewed', undefined]);
});

test('a reload is as good as the worst of its sets', async t => {
  const { set } = setUp(t);
  const one = await makeCredentialDirectory(t, { request: { commonName: 'one' } });
  const two = await makeCredentialDirectory(t, { request: { commonName: 'two' } });
  await set.adopt(tls({ server: one.spec, client: two.spec }));
  assert.equal((await set.reload('admin')).result, 'unchanged');
  await one.renew();
  assert.equal((await set.reload('admin')).result, 'ok');
  await one.renew();
  await two.write('node.key', 'broken');
  const { result, problems, generation } = await set.reload('admin');
  assert.equal(result, 'failed');
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /node\.key: /);
  assert.equal(generation, 3, 'the generation of the server');
});

test('reloads, generation and expiry are in the metrics', async t => {
  const { set, metrics } = setUp(t);
  const one = await makeCredentialDirectory(t, {
    request: { commonName: 'one', notAfter: new Date('2126-01-01T00:00:00Z') },
  });
  await set.adopt(tls({ server: one.spec }));
  const expiry = Date.parse('2126-01-01T00:00:00Z') / 1_000;
  assert.match(await metrics.expose(), new RegExp(`expiration_timestamp_seconds\\{usage="server"\\} ${expiry}\n`));
  await set.reload('admin');
  await one.renew();
  await set.reload('admin');
  await one.write('node.pem', 'broken');
  await set.reload('admin');
  const exposed = await metrics.expose();
  for (const result of ['ok', 'unchanged', 'failed']) {
    assert.match(exposed, new RegExp(`selvedge_tls_reload_total\\{result="${result}"\\} 1`));
  }
  assert.match(exposed, /^selvedge_tls_generation 2$/m);
  assert.doesNotMatch(exposed, new RegExp(`usage="server"\\} ${expiry}\n`), 'the renewed certificate counts');
});

test('a metric is 1 from the reload that failed to the one that did not, for each use alone', async t => {
  const { set, metrics } = setUp(t);
  const [one, two] = [await makeCredentialDirectory(t), await makeCredentialDirectory(t)];
  const failing = async () =>
    [...(await metrics.expose()).matchAll(/^selvedge_tls_reload_failing\{usage="(.*)"\} (.)$/gm)].map(
      ([, usage, value]) => [usage, value],
    );
  await set.adopt(tls({ server: one.spec, client: two.spec }));
  const allWell = [
    ['server', '0'],
    ['client', '0'],
  ];
  assert.deepEqual(await failing(), allWell);
  await two.write('node.pem', 'broken');
  await set.reload('admin');
  assert.deepEqual(await failing(), [
    ['server', '0'],
    ['client', '1'],
  ]);
  await two.renew();
  await set.reload('admin');
  assert.deepEqual(await failing(), allWell);
  await two.write('node.pem', 'broken');
  await set.reload('admin');
  await set.adopt(tls({ server: one.spec }));
  assert.deepEqual(await failing(), [['server', '0']], 'nobody uses the broken one any more');
});

test('what is read because the settings changed is logged as that, not as the start', async t => {
  const lines: { event: string; trigger?: string }[] = [];
  const { set } = setUp(t, undefined, createLogger({ level: 'info', write: line => lines.push(JSON.parse(line)) }));
  const [one, two] = [await files(t, 'one'), await files(t, 'two')];
  const said = () => lines.splice(0).map(({ event, trigger }) => [event, trigger]);
  await set.adopt(tls({ server: one }));
  assert.deepEqual(said(), [['tls.loaded', 'start']]);
  await set.adopt(tls({ server: two }));
  assert.deepEqual(said(), [['tls.reloaded', 'config']]);
  await set.adopt(undefined);
  await set.adopt(tls({ server: one }));
  assert.deepEqual(said(), [['tls.reloaded', 'config']]);
});

test('each line about credentials says which of them, by their first use', async t => {
  const lines: { event: string; usage?: string }[] = [];
  const { set } = setUp(t, undefined, createLogger({ level: 'info', write: line => lines.push(JSON.parse(line)) }));
  const [one, two] = [await files(t, 'one'), await files(t, 'two')];
  await set.adopt(tls({ server: one, profiles: [two, one] }));
  assert.deepEqual(
    lines.map(({ event, usage }) => [event, usage]),
    [
      ['tls.loaded', 'server'],
      ['tls.loaded', 'profile 1'],
    ],
  );
});

test('a new set is tried as what it is used for, under the settings that come with it', async t => {
  const trials: CredentialTrial[] = [];
  const verdicts: string[] = [];
  const { set } = setUp(t, async trial => {
    trials.push(trial);
    return verdicts.map(problem => ({ file: '', problem }));
  });
  const [one, two] = [await makeCredentialDirectory(t), await makeCredentialDirectory(t)];
  const first = tls({ server: one.spec, client: two.spec, profiles: [two.spec] });
  await set.adopt(first);
  assert.equal(trials.length, 0, 'what comes first takes the place of nothing');
  const [server, client] = [set.server.value, set.storeOf(two.spec).snapshot.value];

  await two.renew();
  verdicts.push('they would refuse it');
  const next = { ...first, canary: false };
  const refused = await set.reload('admin', next);
  assert.deepEqual([refused.result, refused.problems], ['failed', [': they would refuse it']]);
  assert.equal(set.storeOf(two.spec).snapshot.value, client, 'the one in use stays');
  const [trial] = trials;
  assert.deepEqual([trial?.usages, trial?.candidate.own.place, trial?.tls], [['client'], two.spec.certFile, next]);
  assert.equal(trial?.current, client);
  assert.deepEqual([trial?.server, trial?.client], [server, trial?.candidate]);

  const third = await makeCredentialDirectory(t);
  const shared = tls({ server: third.spec });
  await assert.rejects(set.adopt(shared), { code: 'credentials_invalid' });
  assert.deepEqual([trials.at(-1)?.usages, trials.at(-1)?.tls], [['server', 'client'], shared]);
  verdicts.length = 0;
  assert.equal((await set.reload('admin')).result, 'ok');
  assert.equal(trials.at(-1)?.tls, first, 'what was not taken is not what counts');
});

test('a set that settings which come no longer use is tried as what it is still used for', async t => {
  const trials: CredentialTrial[] = [];
  const { set } = setUp(t, async trial => {
    trials.push(trial);
    return trials.length > 1 ? [{ file: '', problem: 'they would refuse it' }] : [];
  });
  const [one, two] = [await makeCredentialDirectory(t), await makeCredentialDirectory(t)];
  const [running, coming] = [tls({ server: one.spec }), tls({ server: two.spec, client: one.spec })];
  await set.adopt(running);
  await one.renew();
  assert.equal((await set.reload('admin', coming)).result, 'ok');
  assert.deepEqual([trials[0]?.usages, trials[0]?.tls], [['server', 'client'], coming]);

  const store = set.storeOf(one.spec);
  const inUse = store.snapshot.value;
  await one.renew();
  // As the watcher would, while the new source is read.
  const [, reload] = await Promise.allSettled([set.adopt(tls({ server: two.spec })), store.reload('admin')]);
  assert.equal(reload.status === 'fulfilled' && reload.value.result, 'failed');
  assert.equal(store.snapshot.value, inUse);
  const trial = trials.find(({ current }) => current === inUse && current.own.place === one.spec.certFile);
  assert.deepEqual([trial?.usages, trial?.tls], [['server', 'client'], running]);
});

function setUp(t: TestContext, tryOut?: TryCredentials, logger = silentLogger) {
  const metrics = createMetrics();
  const set = new CredentialSet(logger, metrics, tryOut);
  t.after(() => set.close());
  return { set, metrics };
}

async function files(t: TestContext, commonName: string): Promise<FilesSpec> {
  return (await makeCredentialDirectory(t, { request: { commonName } })).spec;
}

function tls({
  server,
  client = server,
  profiles = [],
}: {
  server: FilesSpec;
  client?: FilesSpec;
  profiles?: readonly FilesSpec[];
}): TlsSettings {
  return tlsSettings({
    serverCredentials: server,
    clientCredentials: client,
    profiles: profiles.map(
      (each, index): TlsProfileSettings => ({
        name: String(index + 1),
        destinations: [],
        credentials: each,
        serverSubjectNames: undefined,
        nodeIdentity: undefined,
      }),
    ),
  });
}

test('what only others name is open, named and read again like the rest, with and without TLS of the fabric', async t => {
  const { set } = setUp(t);
  const fabric = await files(t, 'fabric');
  const etcd = await makeCredentialDirectory(t, { request: { commonName: 'etcd' } });
  const others = [{ usage: 'etcd', spec: etcd.spec }];
  await set.adopt(undefined, others);
  assert.deepEqual([set.used.map(({ usage }) => usage), set.server.value], [['etcd'], undefined]);
  const store = set.storeOf(etcd.spec);
  await set.adopt(tls({ server: fabric }), others);
  assert.deepEqual(
    set.used.map(({ usage }) => usage),
    ['server', 'etcd'],
  );
  await etcd.renew({ commonName: 'etcd renewed' });
  assert.equal((await set.reload('admin')).result, 'ok');
  assert.equal(set.storeOf(etcd.spec), store, 'it stayed open');
  assert.equal(store.snapshot.value.own.identity.commonName, 'etcd renewed');
  await set.adopt(tls({ server: fabric }));
  assert.throws(() => set.storeOf(etcd.spec), TypeError);
  await set.adopt(tls({ server: fabric }), [{ usage: 'etcd', spec: { ...fabric } }]);
  assert.deepEqual(
    set.used.map(({ usage }) => usage),
    ['server'],
    'what is inherited is one store',
  );
});
