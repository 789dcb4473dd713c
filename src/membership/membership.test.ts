import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parseAddress } from '../identity/address.ts';
import { MutableValue } from '../lifecycle/observable-value.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { joinedViews, NOBODY } from './joined-views.ts';
import type { Member } from './member.ts';
import { Membership } from './membership.ts';
import type { MembershipChange } from './membership-editor.ts';
import {
  CURRENT,
  type MembershipSource,
  type MembershipSourceKind,
  type MembershipView,
  type SourceStanding,
} from './membership-source.ts';
import { StandingOfSource } from './source-standing.ts';

test('of several sources a member is who any of them lists, as the first says it', () => {
  const joined = joinedViews([
    { members: [member('a', { labels: { from: 'first' } }), member('b')], removed: [] },
    { members: [member('c'), member('a', { labels: { from: 'second' } })], removed: [] },
  ]);
  assert.deepEqual(joined, {
    members: [member('a', { labels: { from: 'first' } }), member('b'), member('c')],
    removed: [],
  });
  assert.equal(joinedViews([NOBODY]), NOBODY);
  assert.deepEqual(joinedViews([]), NOBODY);
});

test('who was removed in any source is none, and who drains in any of them drains', () => {
  const joined = joinedViews([
    { members: [member('a'), member('b')], removed: ['x'] },
    { members: [member('a', { isDraining: true })], removed: ['b', 'c'], terminating: ['c'] },
  ]);
  assert.deepEqual(joined, {
    members: [member('a', { isDraining: true })],
    removed: ['b', 'c', 'x'],
    terminating: ['c'],
  });
});

test('a change of any source is told once, by name, and sets the metric; what says the same is none', async t => {
  const { membership, log, metrics, seen } = setUp(t);
  const [one, two] = [fakeSource('file', ['a']), fakeSource('etcd', ['b'])];
  await membership.adopt([one, two]);
  assert.deepEqual([names(membership), log.length, seen.length], [['a', 'b'], 0, 1]);
  two.view.set({ members: [member('b'), member('c')], removed: [] });
  assert.deepEqual(log, [{ event: 'membership.changed', members: 3, joined: ['c'] }]);
  two.view.set({ members: [member('c'), member('b')], removed: [] });
  one.view.set({ members: [member('a'), member('c')], removed: [] });
  assert.deepEqual([log.length, seen.length], [1, 2]);
  assert.match(await metrics.expose(), /^selvedge_membership_members 3$/m);
});

test('however often the members change, the view shows each change and the log few', async t => {
  const { membership, log, seen } = setUp(t);
  const source = fakeSource('etcd', ['a']);
  await membership.adopt([source]);
  for (let turn = 0; turn < 200; turn += 1)
    source.view.set({ members: [member('a'), member(`pod-${turn}`)], removed: [] });
  assert.deepEqual([seen.length, log.length], [201, 1]);
  await membership.close();
  assert.deepEqual(log.slice(1), [{ event: 'membership.changed', members: 2, joined: ['pod-199'], left: ['pod-0'] }]);
});

test('sources are exchanged in one step: the new ones are there before the old are closed, and told by what changes', async t => {
  const { membership, log, metrics, seen } = setUp(t);
  const [file, etcd] = [fakeSource('file', ['a', 'b']), fakeSource('etcd', ['b', 'c'])];
  await membership.adopt([file]);
  assert.equal(membership.editor, file.editor);
  let atClose: readonly string[] = [];
  file.close = async () => {
    atClose = names(membership);
  };
  await membership.adopt([etcd]);
  assert.deepEqual(
    [names(membership), atClose],
    [
      ['b', 'c'],
      ['b', 'c'],
    ],
  );
  assert.deepEqual(log, [{ event: 'membership.changed', members: 2, joined: ['c'], left: ['a'] }]);
  assert.equal(membership.editor, etcd.editor);
  file.view.set({ members: [member('z')], removed: [] });
  assert.deepEqual([names(membership), seen.length], [['b', 'c'], 2]);
  const exposed = await metrics.expose();
  assert.match(exposed, /^selvedge_membership_source_current\{source="etcd"\} 1$/m);
  assert.doesNotMatch(exposed, /source="file"/);
});

test('strangers are refused only where every source names the members', async t => {
  const { membership } = setUp(t);
  assert.equal(membership.lists, false);
  await assert.rejects(membership.editor.change({ kind: 'remove', name: 'a' }, 'ann'), {
    code: 'membership_not_writable',
  });
  await membership.adopt([fakeSource('file', ['a'])]);
  assert.equal(membership.lists, true);
  await membership.adopt([fakeSource('file', ['a']), fakeSource('dns', ['b'])]);
  assert.equal(membership.lists, false);
});

test('of several sources the first is changed, and told whether another one knows the name', async t => {
  const { membership } = setUp(t);
  const told: [string, boolean | undefined][] = [];
  const first = fakeSource('etcd', ['a']);
  const editor = {
    change: async ({ name }: MembershipChange, _by: string, isKnown?: boolean) => void told.push([name, isKnown]),
  };
  await membership.adopt([{ ...first, editor }, fakeSource('file', ['b'])]);
  for (const name of ['b', 'c']) await membership.editor.change({ kind: 'remove', name }, 'ann');
  assert.deepEqual(told, [
    ['b', true],
    ['c', false],
  ]);
});

test('an outage is logged once for each problem, shown with its beginning, and ends', async t => {
  const { membership, log, logger, metrics } = setUp(t);
  const standing = new StandingOfSource('etcd', logger);
  await membership.adopt([{ ...fakeSource('etcd', ['a']), standing: standing.value }]);
  const shown = () => membership.standings.value[0]?.standing;
  assert.equal(shown(), CURRENT);
  standing.freeze('no answer');
  const first = shown();
  assert.ok(first?.state === 'frozen' && first.sinceMs > 0);
  standing.freeze('no answer');
  standing.freeze('no leader');
  assert.deepEqual(shown(), { ...first, problem: 'no leader' });
  assert.match(await metrics.expose(), /^selvedge_membership_source_current\{source="etcd"\} 0$/m);
  standing.recover();
  standing.recover();
  assert.equal(shown(), CURRENT);
  assert.deepEqual(log, [
    { event: 'membership.frozen', source: 'etcd', problem: 'no answer' },
    { event: 'membership.frozen', source: 'etcd', problem: 'no leader' },
    { event: 'membership.recovered', source: 'etcd' },
  ]);
});

function setUp(t: TestContext) {
  const log: Record<string, unknown>[] = [];
  const logger = createLogger({
    write: line => {
      const { time: _time, level: _level, ...rest } = JSON.parse(line);
      log.push(rest);
    },
  });
  const metrics = createMetrics();
  const membership = new Membership(logger, metrics);
  t.after(() => membership.close());
  const seen: MembershipView[] = [];
  membership.view.subscribe(view => seen.push(view));
  return { membership, log, logger, metrics, seen };
}

function fakeSource(kind: MembershipSourceKind, listed: readonly string[]) {
  const view = new MutableValue<MembershipView>({ members: listed.map(name => member(name)), removed: [] });
  const standing = new MutableValue<SourceStanding>(CURRENT);
  const source = {
    kind,
    view,
    standing,
    lists: kind !== 'dns',
    editor: { change: async () => {} },
    close: async () => {},
  };
  return source satisfies MembershipSource;
}

function member(name: string, more: Partial<Member> = {}): Member {
  return { name, addresses: [parseAddress(`https://${name}.example:5122`)], labels: {}, ...more };
}

function names(membership: Membership): readonly string[] {
  return membership.view.value.members.map(({ name }) => name);
}
