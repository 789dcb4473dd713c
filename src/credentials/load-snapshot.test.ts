import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { test } from 'node:test';
import { type CredentialDirectory, makeCredentialDirectory } from '../../test/kit/credential-directory.ts';
import { openStore, recordingLogger } from '../../test/kit/open-store.ts';
import { createAuthority } from '../dev-pki/authority.ts';
import { describeProblems } from './credential-problem.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

test('a revocation list that expires while nothing changes is warned of once, and no more when it is renewed', async t => {
  const directory = await makeCredentialDirectory(t, { revoked: [] });
  const { events, logger } = recordingLogger();
  let nowMs = Date.now();
  const store = await openStore(t, directory, { logger, now: () => new Date(nowMs) });
  nowMs += 8 * DAY_MS;
  for (let looks = 0; looks < 2; looks += 1) await store.reload('poll');
  assert.equal(store.snapshot.value.generation, 1);
  assert.match(store.state.value.warnings.join(), /ca\.crl: the CRL of .* expired on .*; its entries still count/);
  assert.deepEqual(events, ['tls.loaded', 'tls.credentials_warning']);

  const nextUpdate = new Date(nowMs + DAY_MS);
  await directory.write('ca.crl', await directory.authority.createCrl([], { nextUpdate }));
  await store.reload('poll');
  assert.deepEqual(store.state.value.warnings, []);
  assert.deepEqual(events.slice(2), ['tls.reloaded', 'tls.credentials_warning_cleared']);
});

test('revocation lists that revoke our own certificate are taken, and warned of', async t => {
  const directory = await makeCredentialDirectory(t, { revoked: [] });
  const store = await openStore(t, directory);
  assert.deepEqual(store.state.value.warnings, []);
  const { serialNumber } = store.snapshot.value.own.identity;
  await directory.write('ca.crl', await directory.authority.createCrl([{ serialNumber }]));
  assert.equal((await store.reload('poll')).result, 'ok');
  assert.match(store.state.value.warnings.join(), /node\.pem: our own revocation lists revoke it/);
});

const brokenPairs: { readonly [kind: string]: (directory: CredentialDirectory) => Promise<unknown> } = {
  'a key that does not match': async directory =>
    directory.write('node.key', (await directory.authority.issue({ commonName: 'other' })).keyPem),
  'an expired certificate': directory => directory.renew({ commonName: 'x', notAfter: new Date(Date.now() - DAY_MS) }),
  'a certificate of another CA': async directory => {
    const { certPem, keyPem } = await (await createAuthority()).issue({ commonName: 'x' });
    await directory.write('node.key', keyPem);
    await directory.write('node.pem', certPem);
  },
  'a missing certificate': directory => rm(directory.path('node.pem')),
  'an empty key': directory => directory.write('node.key', ''),
};

for (const [kind, breakPair] of Object.entries(brokenPairs))
  test(`new anchors and CRLs are taken beside the certificate in use: ${kind}`, async t => {
    const directory = await makeCredentialDirectory(t, { revoked: [] });
    const { events, logger } = recordingLogger();
    const store = await openStore(t, directory, { logger });
    const { own } = store.snapshot.value;
    const stolen = await directory.authority.issue({ commonName: 'stolen' });
    const other = await createAuthority();
    await breakPair(directory);
    await directory.write('ca.crl', await directory.authority.createCrl([stolen]));
    await directory.write('ca.pem', directory.authority.anchorsPem + other.anchorsPem);

    for (let looks = 0; looks < 2; looks += 1) {
      const { result, generation, problems } = await store.reload('poll');
      assert.deepEqual([result, generation, problems.length > 0], ['failed', 2, true]);
    }
    const { snapshot, state } = store;
    assert.equal(snapshot.value.own.identity.fingerprint256, own.identity.fingerprint256);
    assert.equal(snapshot.value.anchors.length, 2);
    const issuer = new X509Certificate(directory.authority.certPem);
    assert.ok(snapshot.value.revocations.isRevoked(new X509Certificate(stolen.certPem), issuer));
    assert.doesNotThrow(() => snapshot.value.secureContext('TLSv1.3'));
    assert.equal(state.value.lastResult, 'failed');
    assert.deepEqual(events, ['tls.loaded', 'tls.reload_failed', 'tls.trust_reloaded']);

    await directory.renew({ commonName: 'mended' });
    assert.deepEqual(await store.reload('poll'), { result: 'ok', generation: 3, problems: [] });
    assert.equal(snapshot.value.own.identity.commonName, 'mended');
  });

test('anchors and CRLs that are no good are not taken beside the certificate in use', async t => {
  const directory = await makeCredentialDirectory(t, { revoked: [] });
  const store = await openStore(t, directory);
  const good = store.snapshot.value;
  await directory.write('node.key', 'garbage');
  for (const [file, content] of [
    ['ca.pem', (await createAuthority()).anchorsPem],
    ['ca.pem', 'garbage'],
    ['ca.crl', 'garbage'],
  ] as const) {
    await directory.write('ca.pem', directory.authority.anchorsPem);
    await directory.write(file, content);
    assert.equal((await store.reload('poll')).result, 'failed');
    assert.equal(store.snapshot.value, good, `${file}: ${content}`);
  }
});

test('a veto holds up the certificate alone, and does not count as taken', async t => {
  const directory = await makeCredentialDirectory(t);
  const verdicts: string[] = ['node-2 would not admit it'];
  const trial = async () => verdicts.map(problem => ({ file: 'canary', problem }));
  const store = await openStore(t, directory, { trial });
  await directory.renew({ commonName: 'renewed' });
  await directory.write('ca.pem', directory.authority.anchorsPem + (await createAuthority()).anchorsPem);
  assert.equal((await store.reload('poll')).result, 'failed');
  assert.equal(store.snapshot.value.anchors.length, 2);
  assert.equal(store.snapshot.value.own.identity.commonName, 'node-1');
  verdicts.length = 0;
  assert.equal((await store.reload('poll')).result, 'ok');
  assert.equal(store.snapshot.value.own.identity.commonName, 'renewed');
});

test('a certificate in use that has expired holds up no CRL, however often there is a new one', async t => {
  const directory = await makeCredentialDirectory(t, {
    revoked: [],
    request: { commonName: 'node-1', notAfter: new Date(Date.now() + HOUR_MS) },
  });
  let nowMs = Date.now();
  const store = await openStore(t, directory, { now: () => new Date(nowMs) });
  const issuer = new X509Certificate(directory.authority.certPem);
  for (const [hours, name] of ['one', 'two'].entries()) {
    nowMs += (hours + 2) * HOUR_MS;
    const stolen = await directory.authority.issue({ commonName: name });
    await directory.write('ca.crl', await directory.authority.createCrl([stolen]));
    assert.equal((await store.reload('poll')).result, 'failed');
    assert.ok(store.snapshot.value.revocations.isRevoked(new X509Certificate(stolen.certPem), issuer), name);
  }
});

test('a CRL that is gone, of another key or older takes back no revocation, as long as its source is named', async t => {
  const directory = await makeCredentialDirectory(t, { revoked: [] });
  const { authority } = directory;
  const older = await readFile(directory.path('ca.crl'));
  const stolen = await authority.issue({ commonName: 'stolen' });
  const store = await openStore(t, directory);
  await directory.write('ca.crl', await authority.createCrl([stolen]));
  assert.equal((await store.reload('poll')).result, 'ok');
  const isRevoked = ({ snapshot: { value } } = store) =>
    value.revocations.isRevoked(new X509Certificate(stolen.certPem), new X509Certificate(authority.certPem));
  assert.ok(isRevoked());

  for (const [content, problem] of [
    [
      await (await createAuthority()).createCrl([]),
      /ca\.crl: no CRL of CN=Selvedge development CA is left that it signed/,
    ],
    [
      await (await createAuthority({ commonName: 'other' })).createCrl([]),
      /no CRL of CN=Selvedge development CA is left/,
    ],
    [older, /ca\.crl: the CRL of CN=Selvedge development CA has the number \d+, and the one in use is newer: \d+$/],
  ] as const)
    for (const key of ['of the certificate', 'of another one']) {
      await directory.renew();
      if (key === 'of another one') await directory.write('node.key', stolen.keyPem);
      await directory.write('ca.crl', content);
      const { result, problems } = await store.reload('poll');
      assert.equal(result, 'failed');
      if (key === 'of the certificate') assert.match(describeProblems(problems), problem);
      assert.equal(store.snapshot.value.generation, 2);
      assert.ok(isRevoked(), String(problem));
    }

  const spec = { ...directory.spec, crlFiles: [] };
  await directory.renew();
  const without = await openStore(t, { ...directory, spec }, { previous: store.snapshot.value });
  assert.ok(!isRevoked(without), 'a configuration that names no list any more is believed');

  await directory.write('ca.crl', await authority.createCrl([]));
  assert.equal((await store.reload('poll')).result, 'ok', 'a newer list may take back what it likes');
  assert.ok(!isRevoked());
});

test('a CA that leaves the anchors takes its CRL with it', async t => {
  const directory = await makeCredentialDirectory(t, { revoked: [] });
  const [own, other] = [directory.authority, await createAuthority({ commonName: 'other' })];
  await directory.write('ca.pem', own.anchorsPem + other.anchorsPem);
  await directory.write('ca.crl', (await own.createCrl([])) + (await other.createCrl([])));
  const store = await openStore(t, directory);
  await directory.write('ca.crl', await own.createCrl([]));
  assert.equal((await store.reload('poll')).result, 'failed');
  await directory.write('ca.pem', own.anchorsPem);
  assert.equal((await store.reload('poll')).result, 'ok');
});

test('the CRL of our own intermediate counts as one of an anchor', async t => {
  const authority = await createAuthority({ intermediate: true });
  const directory = await makeCredentialDirectory(t, { authority, revoked: [] });
  const store = await openStore(t, directory);
  await directory.write('ca.crl', await (await createAuthority({ intermediate: true })).createCrl([]));
  assert.match(describeProblems((await store.reload('poll')).problems), /intermediate is left that it signed/);
});
