import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CaStatus, RootObstacle, RootStatus, RootVerdict } from '../../src/rpc/ca-messages.ts';
import { startFakeNode } from './fake-node.ts';
import { runCtl } from './programs.ts';
import { DAY_MS, NOW, REDACTED } from './samples.ts';

const YES: RootVerdict = { safe: true, inTheWay: 0, obstacles: [] };
const no = (...obstacles: readonly RootObstacle[]): RootVerdict => ({
  safe: false,
  inTheWay: obstacles.length,
  obstacles,
});
const silent = { nodeName: 'node-4', reason: 'did not answer: connect ECONNREFUSED 127.0.0.1:6124' };

function root(given: Partial<RootStatus>): RootStatus {
  return {
    subject: 'CN=dev CA',
    fingerprintSha256: 'abcdef0123456789'.repeat(4),
    notAfterMs: NOW.getTime() + 30 * DAY_MS,
    trustedAsServer: 3,
    trustedAsClient: 3,
    trustedByProfiles: 0,
    presented: 2,
    members: [],
    switch: YES,
    drop: YES,
    ...given,
  };
}

const presents = (nodeName: string) => ({ nodeName, reason: 'presents a certificate of it as server, client' });
const OLD = root({ drop: no(presents('node-1'), presents('node-2')) });
const NEW = root({
  fingerprintSha256: 'abcdff0123456789'.repeat(4),
  notAfterMs: NOW.getTime() + 900 * DAY_MS,
  trustedAsClient: 2,
  trustedByProfiles: 1,
  presented: 0,
  switch: no({ nodeName: 'node-3', reason: 'does not trust it as client' }, silent),
});
const OTHER = root({ subject: 'CN=web CA', fingerprintSha256: '12'.repeat(32) });
const status: CaStatus = {
  roots: [OLD, NEW, OTHER],
  members: 4,
  unknown: 1,
  unreachable: [{ nodeName: 'node-4', reason: 'connect ECONNREFUSED 127.0.0.1:6124' }],
  addressesRedacted: false,
};

test('ca status shows each root by its fingerprint, what is safe, and who is in the way', async t => {
  const node = await startFakeNode(t, { GetCaStatus: status });
  const { stdout, exitCode } = await runCtl(['ca', 'status', '-s', node.address], { now: NOW });
  assert.equal(exitCode, 0);
  for (const expected of [
    /^CN=dev CA +abcdef0123456789 +expires in 30d +3 of 4 +2 of 4 +yes +no$/m,
    /^CN=dev CA +abcdff0123456789 +expires in 2y +3 as server, 2 as client of 4, 1 in profiles +0 of 4 +no +yes$/m,
    /^abcdef0123456789 +drop +node-1, node-2 +presents a certificate of it as server, client$/m,
    /^abcdff0123456789 +switch +node-3 +does not trust it as client$/m,
    /^node-4 +connect ECONNREFUSED 127\.0\.0\.1:6124$/m,
  ])
    assert.match(stdout, expected);
  const json = await runCtl(['ca', 'status', '-s', node.address, '-o', 'json']);
  assert.equal(JSON.parse(json.stdout).roots[1].trusted_as_client, 2);
});

test('ca status of a caller who may not see names says what is safe, and that the rest is kept back', async t => {
  const hidden = {
    ...NEW,
    subject: '',
    trustedAsServer: 0,
    trustedAsClient: 0,
    trustedByProfiles: 0,
    switch: { safe: false, inTheWay: 0, obstacles: [] },
  };
  const node = await startFakeNode(t, {
    GetCaStatus: { roots: [hidden], members: 0, unknown: 0, unreachable: [], addressesRedacted: true },
  });
  const { stdout } = await runCtl(['ca', 'status', '-s', node.address], { now: NOW });
  assert.match(stdout, /^\(redacted\) +abcdff0123456789 +expires in 2y +\(redacted\) +\(redacted\) +no +yes$/m);
  assert.match(stdout, REDACTED);
  const asked = await runCtl(['ca', 'status', '-s', node.address, '--safe-to', 'switch', '--root', 'abcdff']);
  assert.equal(asked.exitCode, 3);
  assert.match(asked.stdout, /^not safe to switch to abcdff0123456789$/m);
  assert.match(asked.stdout, REDACTED);
});

test('ca status --safe-to exits 0 when it is safe, and 3 with names when it is not', async t => {
  const node = await startFakeNode(t, { GetCaStatus: status });
  const ask = (step: string, wanted: string, ...more: readonly string[]) =>
    runCtl(['ca', 'status', '-s', node.address, '--safe-to', step, '--root', wanted, ...more]);
  const safe = await ask('drop', 'AB:CD:FF');
  assert.deepEqual(safe, { stdout: 'safe to drop CN=dev CA (abcdff0123456789)\n', stderr: '', exitCode: 0 });
  for (const wanted of ['CN=web CA', 'web CA', '1212']) assert.equal((await ask('switch', wanted)).exitCode, 0, wanted);

  const refused = await ask('switch', 'abcdff');
  assert.equal(refused.exitCode, 3);
  assert.match(refused.stdout, /^node-3 +does not trust it as client$/m);
  assert.match(refused.stdout, /^node-4 +did not answer: connect ECONNREFUSED/m);
  assert.match(refused.stdout, /^not safe to switch to CN=dev CA \(abcdff0123456789\): 2 in the way$/m);
  const json = await ask('drop', 'abcdef', '-o', 'json');
  assert.equal(json.exitCode, 3);
  assert.deepEqual(JSON.parse(json.stdout), {
    step: 'drop',
    safe: false,
    subject: 'CN=dev CA',
    fingerprint_sha256: OLD.fingerprintSha256,
    in_the_way: 2,
    obstacles: [
      { node_name: 'node-1', reason: 'presents a certificate of it as server, client' },
      { node_name: 'node-2', reason: 'presents a certificate of it as server, client' },
    ],
    addresses_redacted: false,
  });
});

test('a root that is not known, or not one, is a usage error', async t => {
  const node = await startFakeNode(t, { GetCaStatus: status });
  const mistakes: readonly (readonly [readonly string[], RegExp])[] = [
    [['--safe-to', 'drop', '--root', 'CN=dev CA'], /several roots\..*abcdef0123456789, abcdff0123456789/],
    [['--safe-to', 'drop', '--root', 'abcd'], /several roots/],
    [['--safe-to', 'drop', '--root', 'dead'], /No member trusts a root "dead"/],
    [['--safe-to', 'drop', '--root', 'abc'], /No member trusts a root "abc".*at least 4 digits/],
    [['--safe-to', 'drop', '--root', ''], /No member trusts a root ""/],
    [['--safe-to', 'drop'], /go together/],
    [['--root', 'abcdef'], /go together/],
    [['--safe-to', 'add', '--root', 'abcdef'], /switch, drop/],
  ];
  for (const [args, message] of mistakes) {
    const { stdout, stderr, exitCode } = await runCtl(['ca', 'status', '-s', node.address, ...args]);
    assert.equal(exitCode, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, message);
  }
});
