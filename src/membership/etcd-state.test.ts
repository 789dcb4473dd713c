import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress } from '../identity/address.ts';
import type { EtcdKeyValue } from '../rpc/etcd-answers.ts';
import { afterEvents, afterRange, type EtcdState, problemsOf } from './etcd-state.ts';
import { etcdStateFormat } from './etcd-state-file.ts';
import { viewOf } from './etcd-view.ts';

const PREFIX = '/selvedge/dev/';
type Written = Readonly<Record<string, object | string>>;

const node = (address: string, more: object = {}) => ({ addresses: [address], generation: 1, ...more });
const roster = (state: string, more: object = {}) => ({ state, by: 'ops', atMs: 1, ...more });
const textOf = (value: object | string) => (typeof value === 'string' ? value : JSON.stringify(value));

function rangeOf(revision: number, written: Written, clusterId = 'c1', modRevisions: Record<string, number> = {}) {
  const kvs = Object.entries(written).map(
    ([key, value]): EtcdKeyValue => ({
      key: PREFIX + key,
      value: textOf(value),
      modRevision: modRevisions[key] ?? 1,
      lease: '0',
    }),
  );
  return { clusterId, revision, raftTerm: 2, kvs };
}

const started = (written: Written, revision = 10) => afterRange(undefined, PREFIX, rangeOf(revision, written));

function happened(state: EtcdState, revision: number, events: Readonly<Record<string, object | string | undefined>>) {
  return afterEvents(state, PREFIX, {
    revision,
    raftTerm: 2,
    events: Object.entries(events).map(([key, value]) => ({
      key: PREFIX + key,
      value: value === undefined ? undefined : textOf(value),
      modRevision: revision,
    })),
  });
}

const namesIn = (state: EtcdState) => viewOf(state.entries.values()).members.map(({ name }) => name);
const removedIn = (state: EtcdState) => viewOf(state.entries.values()).removed;
const THREE: Written = {
  'nodes/a': node('https://a:1'),
  'nodes/b': node('https://b:1'),
  'nodes/c': node('https://c:1'),
};

test('an event changes the members of its name, and leaves all others the objects they were', () => {
  const before = started({
    ...THREE,
    'members/b': roster('draining'),
    'members/d': roster('active', { addresses: ['https://d:1'] }),
  });
  const after = happened(before, 11, { 'nodes/a': node('https://a:2'), 'members/c': roster('draining') });
  const [was, is] = [before, after].map(state => viewOf(state.entries.values()).members);
  assert.deepEqual(
    is?.map((member, index) => [member.name, member.isDraining === true, member === was?.[index]]),
    [
      ['a', false, false],
      ['b', true, true],
      ['c', true, false],
      ['d', false, true],
    ],
  );
});

test('a member is who registered or was added with an address; operators overlay what it says', () => {
  const state = started({
    'nodes/a': node('https://a:1', { labels: { role: 'x', rack: '1' }, zone: 'z1', weight: 3 }),
    'members/a': roster('draining', { labels: { role: 'y' }, weight: 0 }),
    'members/b': roster('active', { addresses: ['https://b:1'] }),
    'members/not-there-yet': roster('active'),
    'nodes/moved': node('https://old:1'),
    'members/moved': roster('active', { addresses: ['https://new:1'], zone: 'z2' }),
    'nodes/unreachable': { addresses: [], generation: 1 },
    'holders/a': { id: 'h', generation: 1 },
    'others/a': 'what is not ours is nothing',
    'nodes/UPPER': node('https://x:1'),
    'nodes/a/b': node('https://x:1'),
  });
  const { members, removed } = viewOf(state.entries.values());
  assert.deepEqual(
    members.map(({ addresses, ...member }) => ({ ...member, addresses: addresses.map(formatAddress) })),
    [
      {
        name: 'a',
        addresses: ['https://a:1'],
        labels: { role: 'y', rack: '1' },
        zone: 'z1',
        weight: 0,
        isDraining: true,
      },
      { name: 'b', addresses: ['https://b:1'], labels: {} },
      { name: 'moved', addresses: ['https://new:1'], labels: {}, zone: 'z2' },
    ],
  );
  assert.deepEqual(removed, []);
  assert.deepEqual(problemsOf(state), []);
});

test('who is removed or terminated is none, until it is added again', () => {
  let state = started({ ...THREE, 'members/b': roster('removed'), 'members/c': roster('terminating') });
  assert.deepEqual(namesIn(state), ['a']);
  assert.deepEqual(removedIn(state), ['b', 'c']);
  assert.deepEqual(viewOf(state.entries.values()).terminating, ['c']);
  state = happened(state, 11, { 'nodes/b': node('https://b:2') });
  assert.deepEqual(namesIn(state), ['a'], 'it cannot come back by itself');
  state = happened(state, 12, { 'members/b': roster('active') });
  assert.deepEqual(namesIn(state), ['a', 'b']);
});

test('E1: what is not understood changes nothing; of operators it is a problem until it is, of a node it is none', () => {
  let state = started({ ...THREE, 'nodes/d': '{' });
  assert.deepEqual(namesIn(state), ['a', 'b', 'c']);
  assert.deepEqual([[...state.rejected.keys()], problemsOf(state)], [[`${PREFIX}nodes/d`], []]);
  state = happened(state, 11, { 'nodes/a': 'garbage', 'members/b': 'garbage' });
  assert.match(problemsOf(state).join(), /^\S*members\/b is not understood: it is not JSON$/);
  assert.deepEqual(namesIn(state), ['a', 'b', 'c']);
  state = happened(state, 12, { 'members/c': roster('removed') });
  state = happened(state, 13, { 'members/c': 'garbage' });
  assert.deepEqual(removedIn(state), ['c'], 'garbage lets nobody in again');
  state = afterRange(state, PREFIX, rangeOf(14, { ...THREE, 'nodes/a': 'garbage', 'members/c': 'garbage' }));
  assert.deepEqual(namesIn(state), ['a', 'b']);
  assert.deepEqual(removedIn(state), ['c']);
  state = happened(state, 15, { 'nodes/a': node('https://a:9'), 'members/c': undefined });
  assert.deepEqual(problemsOf(state), []);
  assert.deepEqual(namesIn(state), ['a', 'b', 'c']);
});

test('one that is deleted by name leaves, also where that is only seen in a new range', () => {
  const state = started(THREE);
  assert.deepEqual(namesIn(happened(state, 11, { 'nodes/b': undefined })), ['a', 'c']);
  const { 'nodes/b': _, ...rest } = THREE;
  assert.deepEqual(namesIn(afterRange(state, PREFIX, rangeOf(20, rest))), ['a', 'c']);
});

test('E2: where all are gone at once nobody leaves', () => {
  const state = started({ ...THREE, 'members/d': roster('removed') });
  const all = { 'nodes/a': undefined, 'nodes/b': undefined, 'nodes/c': undefined };
  const emptied: Readonly<Record<string, EtcdState>> = {
    'an empty range': afterRange(state, PREFIX, rangeOf(20, {})),
    'everything deleted': happened(state, 20, { ...all, 'members/d': undefined }),
    'an earlier revision': afterRange(state, PREFIX, rangeOf(9, {})),
    'another cluster': afterRange(state, PREFIX, rangeOf(20, {}, 'c2')),
  };
  for (const [what, after] of Object.entries(emptied)) {
    assert.deepEqual(namesIn(after), ['a', 'b', 'c'], what);
    assert.deepEqual(removedIn(after), ['d'], `${what}: who was removed stays so`);
    assert.match(problemsOf(after).join(), /a, b, c are not in etcd.*operators decided of d is not/, what);
    const again = afterRange(after, PREFIX, rangeOf(after.revision + 1, {}, after.clusterId));
    assert.deepEqual(namesIn(again), ['a', 'b', 'c'], `${what}: nor the next time`);
    const back = happened(after, after.revision + 1, { 'nodes/a': node('https://a:2') });
    assert.deepEqual(namesIn(back), ['a', 'b', 'c'], what);
    assert.match(
      problemsOf(back).join(),
      /b, c are not in etcd.*operators decided of d is not/,
      `${what}: it registered again`,
    );
    const gone = happened(back, after.revision + 2, { 'members/b': roster('removed') });
    assert.deepEqual(namesIn(gone), ['a', 'c'], `${what}: removed by name`);
    const cleaned = happened(gone, after.revision + 3, { 'members/b': undefined });
    assert.deepEqual(namesIn(cleaned), ['a', 'c'], `${what}: and not kept any longer`);
  }
  assert.deepEqual(namesIn(happened(state, 20, all)), ['a', 'b', 'c'], 'all registrations at once');
});

test('E2: an earlier time of etcd, such as a restored backup, brings nobody back who was removed', () => {
  const state = started({ ...THREE, 'members/c': roster('removed') }, 100);
  const { 'nodes/b': _, ...rest } = THREE;
  let after = afterRange(state, PREFIX, rangeOf(50, { ...rest, 'members/c': roster('active') }));
  assert.deepEqual(namesIn(after), ['a', 'b'], 'b registered after the backup was made');
  assert.deepEqual(removedIn(after), ['c']);
  after = afterRange(after, PREFIX, rangeOf(60, { ...rest, 'members/c': roster('active') }));
  assert.deepEqual(removedIn(after), ['c'], 'what the backup says does not become true by being read twice');
  const meant = { 'members/c': 61 };
  after = afterRange(after, PREFIX, rangeOf(70, { ...rest, 'members/c': roster('active') }, 'c1', meant));
  assert.deepEqual(namesIn(after), ['a', 'b', 'c'], 'written since');
  assert.match(problemsOf(after).join(), /^b is not in etcd/);
});

test('E2: an earlier time of etcd, or another one, takes nobody out who is a member, until that is written again', () => {
  const state = started({ ...THREE, 'members/b': roster('active'), 'members/d': roster('removed') }, 100);
  const outs = {
    'members/b': roster('terminating'),
    'members/c': roster('removed'),
    'members/d': roster('terminating'),
  };
  const others: Readonly<Record<string, EtcdState>> = {
    'an earlier revision': afterRange(state, PREFIX, rangeOf(50, { ...THREE, ...outs })),
    'another cluster': afterRange(state, PREFIX, rangeOf(500, outs, 'c2')),
  };
  for (const [what, after] of Object.entries(others)) {
    const reread = afterRange(after, PREFIX, rangeOf(after.revision + 5, { ...THREE, ...outs }, after.clusterId));
    const format = etcdStateFormat(PREFIX);
    const restarted = format.parse(format.serialize(reread));
    assert.deepEqual(restarted, { value: reread }, what);
    for (const each of [after, reread]) {
      assert.deepEqual([namesIn(each), removedIn(each)], [['a', 'b', 'c'], ['d']], what);
      assert.equal(viewOf(each.entries.values()).terminating, undefined, what);
      assert.match(problemsOf(each).join(), /b, c, d are removed in etcd and not before/, what);
    }
    const meant = happened(reread, after.revision + 10, { 'members/c': roster('removed') });
    assert.deepEqual(
      [namesIn(meant), removedIn(meant)],
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
      what,
    );
    const read = rangeOf(after.revision + 20, { ...THREE, ...outs }, after.clusterId, {
      'members/b': after.revision + 15,
      'members/c': after.revision + 10,
    });
    assert.deepEqual(viewOf(afterRange(meant, PREFIX, read).entries.values()).terminating, ['b'], what);
  }
});

test('who left by its own word is not missed, so that what happened beside it counts', () => {
  const state = started({
    'nodes/a': node('https://a:1'),
    'members/b': roster('active', { addresses: ['https://b:1'] }),
  });
  const left = { addresses: [], generation: 1, left: true };
  const after = afterRange(state, PREFIX, rangeOf(20, { 'nodes/a': left, 'members/b': roster('removed') }));
  assert.deepEqual([namesIn(after), removedIn(after), problemsOf(after)], [[], ['b'], []]);
  const later = afterRange(after, PREFIX, rangeOf(30, { 'members/b': roster('removed') }, 'c2'));
  assert.deepEqual(later.kept, new Map(), 'nor when another etcd has never heard of it');
});

test('E2: an etcd that was made anew is seen, however much was written to it since', () => {
  const modRevisions = { 'nodes/a': 8, 'nodes/b': 9, 'nodes/c': 10 };
  const state = afterRange(undefined, PREFIX, rangeOf(10, THREE, 'c1', modRevisions));
  const { 'nodes/c': _, ...others } = THREE;
  const later = rangeOf(500, others, 'c1', { 'nodes/a': 300, 'nodes/b': 400 });
  assert.deepEqual(namesIn(afterRange(state, PREFIX, later, `${PREFIX}nodes/a`)), ['a', 'b'], 'c was deleted by name');
  const signs: Readonly<Record<string, EtcdState>> = {
    'a record went back': afterRange(state, PREFIX, rangeOf(500, others, 'c1', { 'nodes/a': 300, 'nodes/b': 4 })),
    'the term went back': afterRange(state, PREFIX, { ...later, raftTerm: 1 }),
    'what we wrote is gone': afterRange(state, PREFIX, later, `${PREFIX}nodes/c`),
  };
  for (const [what, after] of Object.entries(signs)) {
    assert.deepEqual(namesIn(after), ['a', 'b', 'c'], what);
    assert.match(problemsOf(after).join(), /^c is not in etcd/, what);
    const next = { ...rangeOf(600, others, 'c1', { 'nodes/a': 300, 'nodes/b': 500 }), raftTerm: after.raftTerm };
    assert.deepEqual(namesIn(afterRange(after, PREFIX, next)), ['a', 'b', 'c'], `${what}: nor the next time`);
  }
});

test('a state is kept and read back; one of another prefix, or one that is broken, is none', () => {
  const format = etcdStateFormat(PREFIX);
  const state = afterRange(started({ ...THREE, 'members/d': roster('removed') }), PREFIX, rangeOf(20, {}, 'c2'));
  assert.deepEqual(format.parse(format.serialize(state)), { value: { ...state, rejected: new Map() } });
  assert.deepEqual(etcdStateFormat('/selvedge/other/').parse(format.serialize(state)), { value: undefined });
  assert.deepEqual(format.parse(format.serialize(undefined)), { value: undefined });
  for (const broken of ['', '{}', format.serialize(state).replace('https://a:1', 'https://a b')])
    assert.ok('problem' in format.parse(broken), broken);
});

test('of what operators decided and etcd lost, it is said that it can be decided again', () => {
  const before = started({ ...THREE, 'members/b': roster('draining') });
  const state = afterRange(
    before,
    PREFIX,
    rangeOf(12, { 'nodes/a': node('https://a:1'), 'nodes/b': node('https://b:1') }, 'c2'),
  );
  assert.deepEqual(
    problemsOf(state).map(problem => problem.replace(/ \(.*\)/, '')),
    [
      'c is not in etcd as before: kept until registered again or removed by name',
      'what operators decided of b is not in etcd as before: kept until it is decided again, by selvedgectl nodes add, drain or remove',
    ],
  );
});
