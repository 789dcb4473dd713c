import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  ETCD_PREFIX,
  type EtcdSourceRequest,
  makeDataDir,
  type OpenedEtcdSource,
  openTestEtcdSource,
  viewIn,
  wordAt,
} from '../../test/kit/etcd-source.ts';
import { type FakeEtcd, startFakeEtcd } from '../../test/kit/fake-etcd.ts';
import { until } from '../../test/kit/until.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';

const key = (rest: string) => ETCD_PREFIX + rest;
const node = (address: string) => ({ addresses: [address], generation: 1 });
const roster = (state: string) => ({ state, by: 'ops', atMs: 1 });

async function open(
  t: TestContext,
  etcd: FakeEtcd,
  request: EtcdSourceRequest = {},
): Promise<OpenedEtcdSource & { shows(expected: string): Promise<void>; frozen(problem: RegExp): Promise<void> }> {
  const opened = await openTestEtcdSource(t, { port: etcd.port, ...request });
  const standing = () => opened.source.standing.value;
  return {
    ...opened,
    shows: expected =>
      until(`${expected} (now ${viewIn(opened)})`, () => viewIn(opened) === expected && standing().state === 'current'),
    frozen: problem =>
      until(`frozen: ${problem}`, () => {
        const now = standing();
        return now.state === 'frozen' && problem.test(now.problem);
      }),
  };
}

test('members are who registered, in the order of what happens, and this node registers itself', async t => {
  const etcd = await startFakeEtcd(t);
  etcd.write({ [key('nodes/b')]: node('https://b:1') });
  const opened = await open(t, etcd);
  await opened.shows('a=https://a:1 b=https://b:1');
  etcd.write({ [key('nodes/c')]: node('https://c:1') });
  etcd.write({ [key('nodes/c')]: node('https://c:2'), [key('nodes/b')]: undefined });
  await opened.shows('a=https://a:1 c=https://c:2');
  etcd.write({ [key('members/c')]: roster('draining') });
  await opened.shows('a=https://a:1 c=https://c:2 draining');
  etcd.write({ [key('members/c')]: roster('terminating') });
  await opened.shows('a=https://a:1 -c');
  assert.deepEqual(opened.source.view.value.terminating, ['c']);
  opened.own.set(wordAt('https://a:9', { labels: { role: 'x' } }));
  await opened.shows('a=https://a:9 -c');
  etcd.write({ [key('nodes/d')]: node('https://d:1') });
  etcd.write({ [key('nodes/a')]: undefined });
  await until('it registers again', () => etcd.get(key('nodes/a'))?.includes('a:9') === true);
  assert.equal(opened.log.filter(({ event }) => event === 'membership.frozen').length, 0);
});

test('an etcd that is lost, silent or without a leader freezes what is known, and nothing is missed', async t => {
  const etcd = await startFakeEtcd(t);
  const opened = await open(t, etcd, { requestTimeoutMs: 300 });
  const outages: readonly [() => unknown, () => unknown, RegExp][] = [
    [() => etcd.stop(), () => etcd.start(), /etcd is away/],
    [() => etcd.loseLeader(), () => Object.assign(etcd, { hasLeader: true }), /no leader/],
    [
      () => Object.assign(etcd, { isSilent: true }),
      () => Object.assign(etcd, { isSilent: false }),
      /does not answer|did not answer in time/,
    ],
  ];
  let port = 1;
  for (const [lose, restore, problem] of outages) {
    const before = `a=https://a:1 b=https://b:${port}`;
    etcd.write({ [key('nodes/b')]: node(`https://b:${port}`) });
    await opened.shows(before);
    await lose();
    const tries = opened.tries();
    await opened.frozen(problem);
    await until('other endpoints are tried', () => opened.tries() > tries);
    assert.equal(viewIn(opened), before);
    port += 1;
    etcd.write({ [key('nodes/b')]: node(`https://b:${port}`) });
    etcd.compact();
    await restore();
    await opened.shows(`a=https://a:1 b=https://b:${port}`);
    assert.equal(opened.log.at(-1)?.event, 'membership.recovered');
  }
});

test('a watch that is compacted, cancelled or moved to another connection goes on, and that is no outage', async t => {
  const etcd = await startFakeEtcd(t);
  const opened = await open(t, etcd, { timing: { freezeAfterMs: 60_000 } });
  const ends = [() => etcd.compactUnderWatches(), () => etcd.cancelWatches('somebody said so'), () => opened.moved()];
  for (const [index, end] of [() => {}, ...ends].entries()) {
    end();
    etcd.write({ [key('nodes/b')]: node(`https://b:${index + 1}`) });
    await opened.shows(`a=https://a:1 b=https://b:${index + 1}`);
  }
  await until('one watch is left', () => etcd.watches === 1);
  assert.deepEqual(
    opened.log.filter(({ event }) => event === 'membership.frozen'),
    [],
  );
});

test('nobody leaves when everything is gone, and who registers again is let go of by name', async t => {
  const etcd = await startFakeEtcd(t);
  etcd.write({ [key('nodes/b')]: node('https://b:1'), [key('members/c')]: roster('removed') });
  const opened = await open(t, etcd);
  await opened.shows('a=https://a:1 b=https://b:1 -c');
  etcd.deleteAll();
  await opened.frozen(/b is not in etcd as before.*operators decided of c is not in etcd as before/);
  assert.equal(viewIn(opened), 'a=https://a:1 b=https://b:1 -c');
  await opened.source.editor.change({ kind: 'remove', name: 'b' }, 'ops');
  etcd.write({ [key('members/c')]: roster('removed') });
  await opened.shows('a=https://a:1 -b -c');
  await etcd.stop();
  etcd.clusterId = '7';
  etcd.deleteAll();
  await etcd.start();
  await opened.frozen(/another etcd cluster answers/);
  await until('its own registration stands in the new one', () => etcd.get(key('nodes/a')) !== undefined);
  assert.equal(viewIn(opened), 'a=https://a:1 -b -c');
});

test('an etcd that was made anew while this node did not hear it is seen by what this node had written', async t => {
  const etcd = await startFakeEtcd(t);
  const makeAnew = etcd.backup();
  etcd.write({ [key('nodes/b')]: node('https://b:1'), [key('nodes/c')]: node('https://c:1') });
  const opened = await open(t, etcd);
  await opened.shows('a=https://a:1 b=https://b:1 c=https://c:1');
  await etcd.stop();
  makeAnew();
  for (let port = 2; port < 30; port += 1) etcd.write({ [key('nodes/b')]: node(`https://b:${port}`) });
  await etcd.start();
  await opened.frozen(/^c is not in etcd as before .*what this node wrote is gone/);
  await until('b is where it is now', () => viewIn(opened) === 'a=https://a:1 b=https://b:29 c=https://c:1');
  etcd.write({ [key('nodes/c')]: node('https://c:2') });
  await opened.shows('a=https://a:1 b=https://b:29 c=https://c:2');
});

test('a record of a node that is garbage is skipped and said once, and freezes nothing; one of operators does', async t => {
  const etcd = await startFakeEtcd(t);
  const opened = await open(t, etcd);
  await opened.shows('a=https://a:1');
  const said = () => opened.log.filter(({ event }) => event === 'membership.record_rejected').map(line => line.key);
  etcd.write({ [key('nodes/b')]: '{"addresses":', [key('nodes/c')]: node('https://c:1') });
  await opened.shows('a=https://a:1 c=https://c:1');
  assert.deepEqual(said(), [key('nodes/b')]);
  etcd.write({ [key('nodes/c')]: 'garbage', [key('nodes/b')]: 'other garbage' });
  await until('it is said', () => said().length === 2);
  await opened.shows('a=https://a:1 c=https://c:1');
  etcd.write({ [key('nodes/b')]: node('https://b:1') });
  await opened.shows('a=https://a:1 b=https://b:1 c=https://c:1');
  for (const name of ['b', 'b', 'd']) {
    etcd.write({ [key(`nodes/${name}`)]: 'garbage' });
    etcd.write({ [key(`nodes/e`)]: 'garbage', [key('members/x')]: roster('active') });
    etcd.write({ [key(`nodes/${name}`)]: node(`https://${name}:1`), [key('members/x')]: undefined });
  }
  await opened.shows('a=https://a:1 b=https://b:1 c=https://c:1 d=https://d:1');
  assert.deepEqual(said().length, new Set(said()).size, 'once each, however often it changes');
  etcd.write({ [key('members/b')]: 'garbage' });
  await opened.frozen(/members\/b is not understood/);
  assert.deepEqual(opened.log.filter(({ event }) => event === 'membership.frozen').length, 1);
});

test('a node that writes its own record in a loop changes the view of others a few times, what operators say at once', async t => {
  const etcd = await startFakeEtcd(t);
  const dataDir = await makeDataDir(t);
  const opened = await open(t, etcd, { dataDir });
  await opened.shows('a=https://a:1');
  let changes = 0;
  opened.source.view.subscribe(() => {
    changes += 1;
  });
  const startedMs = performance.now();
  for (let port = 1; port <= 300; port += 1) {
    etcd.write({ [key('nodes/b')]: node(`https://b:${port}`) });
    if (port % 10 === 0) await new Promise(resolve => setImmediate(resolve));
  }
  await opened.shows('a=https://a:1 b=https://b:300');
  const most = 2 + (performance.now() - startedMs) / 100;
  assert.ok(changes <= most, `${changes} changes, at most ${most}`);
  etcd.write({ [key('nodes/b')]: node('https://b:301') });
  etcd.write({ [key('members/b')]: roster('removed') });
  await opened.shows('a=https://a:1 -b');
  await opened.close();
  assert.match(await readFile(join(dataDir, 'membership-etcd.json'), 'utf8'), /b:301/);
});

test('a listener that throws does not end the process, and is said', async t => {
  const etcd = await startFakeEtcd(t);
  const opened = await open(t, etcd);
  await opened.shows('a=https://a:1');
  const stop = opened.source.view.subscribe(() => {
    throw new Error('a listener threw');
  });
  const said = () => opened.log.filter(({ event }) => event === 'membership.change_failed').length;
  etcd.write({ [key('nodes/b')]: node('https://b:1') });
  await until('it is said', () => said() === 1);
  opened.moved();
  await etcd.stop();
  etcd.write({ [key('nodes/b')]: node('https://b:2') });
  await etcd.start();
  await until('of a reading too', () => said() === 2);
  stop();
  etcd.write({ [key('nodes/b')]: node('https://b:3') });
  await opened.shows('a=https://a:1 b=https://b:3');
});

test('a node starts without etcd from what it knew, and not where it knew nothing', async t => {
  const etcd = await startFakeEtcd(t);
  const dataDir = await makeDataDir(t);
  etcd.write({ [key('nodes/b')]: node('https://b:1') });
  const first = await open(t, etcd, { dataDir });
  await first.shows('a=https://a:1 b=https://b:1');
  const isKept = async () =>
    /"revision": \d+/.exec(await readFile(join(dataDir, 'membership-etcd.json'), 'utf8')) !== null;
  await until('it is on the disk before the end', () => isKept().catch(() => false));
  await first.close();
  for (const file of ['membership-etcd.json', 'etcd-holder'])
    assert.equal((await stat(join(dataDir, file))).mode & 0o777, 0o600, file);
  await etcd.stop();
  const second = await open(t, etcd, { dataDir, requestTimeoutMs: 200 });
  await second.frozen(/etcd is away/);
  assert.equal(viewIn(second), 'a=https://a:1 b=https://b:1');
  await etcd.start();
  await second.shows('a=https://a:1 b=https://b:1');
  await until('it holds its name', () => etcd.get(key('holders/a')) !== undefined);
  await etcd.stop();
  await assert.rejects(open(t, etcd, { requestTimeoutMs: 200 }), error =>
    isSelvedgeError(error, 'membership_unavailable'),
  );
});

test('a name is held by one process, taken over at once by the next on its data directory, and given back', async t => {
  const etcd = await startFakeEtcd(t);
  const dataDir = await makeDataDir(t);
  const first = await open(t, etcd, { dataDir });
  const lease = etcd.leases[0] ?? '';
  await assert.rejects(open(t, etcd, { leaseTtlMs: 1_000, timing: { holdMarginMs: 0 } }), error =>
    isSelvedgeError(error, 'node_name_held'),
  );
  assert.deepEqual(etcd.leases, [lease], 'who did not get it leaves nothing behind');
  const next = await open(t, etcd, { dataDir });
  await until('the earlier one says so', () => first.problem()?.includes('a later process') === true);
  await first.close();
  assert.equal(etcd.leases.length, 1, 'and takes nothing with it');
  assert.ok(etcd.get(key('holders/a')));
  await next.close();
  assert.deepEqual([etcd.leases, etcd.get(key('holders/a'))], [[], undefined]);
  assert.ok(etcd.get(key('nodes/a')), 'it stays a member');
  await open(t, etcd);
});

test('a lease that ended is taken again, and a name that another has is not overwritten', async t => {
  const etcd = await startFakeEtcd(t);
  const opened = await open(t, etcd, { leaseTtlMs: 60_000 });
  await opened.shows('a=https://a:1');
  etcd.expire(etcd.leases[0] ?? '');
  await until('it holds its name again', () => etcd.get(key('holders/a')) !== undefined);
  const another = { id: 'another', generation: 1 };
  etcd.write({ [key('holders/a')]: another, [key('nodes/a')]: node('https://other:1') });
  await until('it says so', () => opened.problem()?.includes('another process holds the name a') === true);
  await opened.shows('a=https://other:1');
  opened.own.set(wordAt('https://a:5'));
  etcd.write({ [key('nodes/a')]: node('https://other:2') });
  await opened.shows('a=https://other:2');
  assert.deepEqual(JSON.parse(etcd.get(key('holders/a')) ?? ''), another);
  etcd.write({ [key('holders/a')]: undefined });
  await opened.shows('a=https://a:5');
  await until('the problem is over', () => opened.problem() === undefined);
});

test('when it leaves is as configured', async t => {
  const etcd = await startFakeEtcd(t);
  etcd.write({ [key('nodes/b')]: node('https://b:1') });
  const registered = () => etcd.get(key('nodes/a'))?.includes('"left":true') === false;
  for (const [leave, afterClose, afterDrain] of [
    ['when-removed', true, true],
    ['when-drained', true, false],
    ['when-lost', false, false],
  ] as const) {
    for (const isDrained of [false, true]) {
      const opened = await open(t, etcd, { leave });
      await until('it is registered', registered);
      if (isDrained) await opened.source.leave?.();
      await opened.close();
      assert.equal(registered(), isDrained ? afterDrain : afterClose, `${leave} ${isDrained}`);
    }
  }
});

test('who leaves cleanly is not missed, by those who hear it and by those who read it later', async t => {
  for (const leave of ['when-drained', 'when-lost'] as const) {
    const etcd = await startFakeEtcd(t);
    const dataDir = await makeDataDir(t);
    const observe = (more: EtcdSourceRequest = {}) =>
      open(t, etcd, { nodeName: 'observer', isAnnounced: false, ...more });
    const earlier = await observe({ dataDir });
    const hearing = await observe();
    const leaving = await open(t, etcd, { leave });
    await Promise.all([earlier.shows('a=https://a:1'), hearing.shows('a=https://a:1')]);
    await earlier.close();
    await leaving.source.leave?.();
    await leaving.close();
    await hearing.shows('');
    const later = await observe({ dataDir });
    await later.shows('');
    const left = etcd.leases.at(-1) ?? '';
    etcd.expire(left);
    assert.equal(etcd.get(key('nodes/a')), undefined, 'what says so goes by itself');
    etcd.write({ [key('nodes/b')]: node('https://b:1') });
    await Promise.all([later.shows('b=https://b:1'), hearing.shows('b=https://b:1')]);
    assert.deepEqual(
      [...later.log, ...hearing.log].filter(({ event }) => event === 'membership.frozen'),
      [],
    );
  }
});

test('a node that leaves while it is about to register writes nothing after it left', async t => {
  const etcd = await startFakeEtcd(t);
  const opened = await open(t, etcd, { leave: 'when-drained' });
  await opened.shows('a=https://a:1');
  for (let weight = 2; weight < 6; weight += 1) opened.own.set({ ...opened.own.value, weight });
  await opened.source.leave?.();
  const { revision } = etcd;
  assert.match(etcd.get(key('nodes/a')) ?? '', /"left":true/);
  opened.own.set({ ...opened.own.value, weight: 9 });
  etcd.write({ [key('nodes/a')]: undefined });
  await opened.close();
  assert.equal(etcd.get(key('nodes/a')), undefined);
  assert.equal(etcd.revision, revision + 2, 'but that the name was given back');
});

test('who is removed while it waits for its name does not start', async t => {
  const etcd = await startFakeEtcd(t);
  etcd.write({ [key('holders/a')]: { id: 'another', generation: 9 } });
  const starting = open(t, etcd);
  starting.catch(() => {});
  await until('it waits', () => (etcd.calls.get('LeaseGrant') ?? 0) > 0);
  etcd.write({ [key('members/a')]: roster('terminating') });
  etcd.write({ [key('holders/a')]: undefined });
  await assert.rejects(starting, error => isSelvedgeError(error, 'member_removed'));
});

test('an etcd that hangs delays the end by one timeout in all, and one that is known to be away by none', async t => {
  const etcd = await startFakeEtcd(t);
  const opened = await open(t, etcd, {
    leave: 'when-drained',
    requestTimeoutMs: 120_000,
    timing: { endTimeoutMs: 300, freezeAfterMs: 60_000, askEveryMs: 60_000 },
  });
  await opened.shows('a=https://a:1');
  etcd.isSilent = true;
  opened.own.set({ ...opened.own.value, weight: 2 });
  let isOver = false;
  void opened.source
    .leave?.()
    .then(() => opened.close())
    .then(() => {
      isOver = true;
    });
  await until('it ends long before a call is given up', () => isOver);
  etcd.isSilent = false;
  assert.doesNotMatch(etcd.get(key('nodes/a')) ?? '', /left/);
  const calls = () => ['Txn', 'LeaseGrant', 'LeaseRevoke'].map(method => etcd.calls.get(method));
  const other = await open(t, etcd, { nodeName: 'b', leave: 'when-drained' });
  etcd.loseLeader();
  await other.frozen(/no leader/);
  const before = calls();
  await other.source.leave?.();
  await other.close();
  assert.deepEqual(calls(), before, 'nothing is asked for');
});

test('who is removed registers nothing, and what etcd refuses is said with its user and key', async t => {
  const etcd = await startFakeEtcd(t);
  etcd.write({ [key('nodes/b')]: node('https://b:1') });
  const opened = await open(t, etcd);
  etcd.write({ [key('members/a')]: roster('removed') });
  etcd.write({ [key('nodes/a')]: undefined });
  await opened.shows('b=https://b:1 -a');
  await assert.rejects(open(t, etcd), error => isSelvedgeError(error, 'member_removed'));
  assert.equal(etcd.get(key('nodes/a')), undefined);
  etcd.denies = (of, access) => access === 'write' && of === key('nodes/a');
  etcd.write({ [key('members/a')]: roster('active') });
  const said = /does not let the user "tester" write \/selvedge\/dev\/nodes\/a/;
  await until('it says so', () => said.test(opened.problem() ?? ''));
  etcd.denies = () => false;
  await opened.shows('a=https://a:1 b=https://b:1');
  etcd.denies = (of, access) => access === 'write' && of === key('holders/c');
  await assert.rejects(
    open(t, etcd, { nodeName: 'c' }),
    (error: Error) => isSelvedgeError(error, 'membership_not_writable') && /holders\/c/.test(error.message),
  );
  etcd.denies = (_of, access) => access === 'read';
  await assert.rejects(
    open(t, etcd, { nodeName: 'd' }),
    (error: Error) =>
      isSelvedgeError(error, 'membership_unavailable') && /"tester" read \/selvedge/.test(error.message),
  );
});

test('a node that could write the records of others does not start, unless that is allowed', async t => {
  const etcd = await startFakeEtcd(t);
  const own = new Set([key('nodes/a'), key('holders/a')]);
  const guarded: FakeEtcd['denies'] = (of, access) => access === 'write' && !own.has(of);
  const before = etcd.revision;
  await assert.rejects(open(t, etcd, { allowUnguarded: false }), error => isSelvedgeError(error, 'config_invalid'));
  const prefixed: FakeEtcd['denies'] = (of, access) =>
    access === 'write' && ![...own].some(each => of.startsWith(each));
  etcd.denies = prefixed;
  await assert.rejects(open(t, etcd, { allowUnguarded: false }), /nodes\/a~guard~/);
  assert.equal(etcd.revision, before, 'it wrote nothing to find out');
  etcd.denies = guarded;
  const opened = await open(t, etcd, { allowUnguarded: false, timing: { guardEveryMs: 20 } });
  await opened.shows('a=https://a:1');
  assert.equal(opened.problem(), undefined);
  etcd.denies = () => false;
  await until('it says so', () => opened.problem()?.includes('any node could register') === true);
  etcd.denies = guarded;
  await until('that is over', () => opened.problem() === undefined);
  etcd.denies = () => false;
  const allowed = await open(t, etcd, { nodeName: 'b' });
  assert.deepEqual([allowed.problem(), allowed.log.map(({ event }) => event)], [undefined, ['membership.unguarded']]);
});

test('an etcd that applies no users inside nested transactions is none that guards, however its users are bound', async t => {
  const etcd = await startFakeEtcd(t);
  const own = new Set([key('nodes/a'), key('holders/a')]);
  etcd.denies = (of, access) => access === 'write' && !own.has(of);
  etcd.isNestingUnguarded = true;
  const before = etcd.revision;
  await assert.rejects(
    open(t, etcd, { allowUnguarded: false }),
    (error: Error) =>
      isSelvedgeError(error, 'config_invalid') && /nested .*3\.4\.42, 3\.5\.28, 3\.6\.9/.test(error.message),
  );
  assert.equal(etcd.revision, before, 'it wrote nothing to find out');
  const allowed = await open(t, etcd, { dataDir: await makeDataDir(t) });
  assert.deepEqual([allowed.problem(), allowed.log.map(({ event }) => event)], [undefined, ['membership.unguarded']]);
  await allowed.close();
  etcd.isNestingUnguarded = false;
  const opened = await open(t, etcd, { allowUnguarded: false, timing: { guardEveryMs: 20 } });
  assert.equal(opened.problem(), undefined);
  etcd.isNestingUnguarded = true;
  await until('it says so', () => opened.problem()?.includes('nested transactions') === true);
});

test('a grant by range that reaches another member is seen, and one of operators is none', async t => {
  const etcd = await startFakeEtcd(t);
  etcd.write({ [key('nodes/b')]: node('https://b:1') });
  const own = [key('nodes/a'), key('holders/a')];
  const may = new Set([...own, key('nodes/b')]);
  etcd.denies = (of, access) => access === 'write' && !may.has(of);
  await assert.rejects(open(t, etcd, { allowUnguarded: false }), /write \/selvedge\/dev\/nodes\/b,/);
  etcd.denies = (of, access) => access === 'write' && !own.includes(of) && !of.startsWith(key('members/'));
  assert.equal((await open(t, etcd, { allowUnguarded: false })).problem(), undefined);
});

test('while nodes could have written it, a node does not end by what stands in etcd', async t => {
  const etcd = await startFakeEtcd(t);
  const own = new Set([key('nodes/a'), key('holders/a')]);
  const guarded: FakeEtcd['denies'] = (of, access) => access === 'write' && !own.has(of);
  etcd.denies = guarded;
  const opened = await open(t, etcd, { allowUnguarded: false, timing: { guardEveryMs: 20 } });
  etcd.denies = () => false;
  etcd.write({ [key('members/a')]: roster('terminating'), [key('members/b')]: roster('terminating') });
  await until('it says so', () => opened.problem()?.includes('any node could register') === true);
  await opened.shows('-a -b');
  assert.deepEqual(opened.source.view.value.terminating, ['b']);
  etcd.denies = guarded;
  await until('it believes it', () => opened.source.view.value.terminating?.includes('a') === true);
  etcd.denies = () => false;
  const allowed = await open(t, etcd, { nodeName: 'c' });
  etcd.write({ [key('members/c')]: roster('terminating') });
  await until(
    'it is believed where that is allowed',
    () => allowed.source.view.value.terminating?.includes('c') === true,
  );
});

test('where other settings are taken a second source of the process goes on, and the two do not fight', async t => {
  const etcd = await startFakeEtcd(t);
  const dataDir = await makeDataDir(t);
  const own = wordAt('https://a:1');
  const first = await open(t, etcd, { dataDir, own });
  await first.shows('a=https://a:1');
  const second = await open(t, etcd, { dataDir, own });
  await until('the first one has seen it', () => first.problem()?.includes('another source of this process') === true);
  const { revision } = etcd;
  first.own.set({ ...own, labels: { role: 'x' } });
  etcd.write({ [key('nodes/b')]: node('https://b:1') });
  await second.shows('a=https://a:1 b=https://b:1');
  assert.equal(etcd.revision, revision + 1, 'nothing but that was written');
  await first.close();
  assert.equal(first.problem(), undefined);
  assert.ok(etcd.get(key('holders/a')));
  await second.close();
  assert.equal(etcd.get(key('holders/a')), undefined);
});
