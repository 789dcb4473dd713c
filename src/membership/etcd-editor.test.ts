import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ETCD_PREFIX, openTestEtcdSource, viewIn, wordAt } from '../../test/kit/etcd-source.ts';
import { startFakeEtcd } from '../../test/kit/fake-etcd.ts';
import { until } from '../../test/kit/until.ts';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { createEtcdEditor } from './etcd-editor.ts';

const key = (rest: string) => ETCD_PREFIX + rest;

test('operators change members: what is not there, not allowed or away is said', async t => {
  const etcd = await startFakeEtcd(t);
  etcd.write({ [key('nodes/b')]: { addresses: ['https://b:1'], generation: 1 } });
  const opened = await openTestEtcdSource(t, { port: etcd.port, requestTimeoutMs: 300 });
  const { editor } = opened.source;
  const shows = (expected: string) => until(expected, () => viewIn(opened) === expected);
  const addresses = wordAt('https://c:1').addresses;
  await assert.rejects(editor.change({ kind: 'add', name: 'c', addresses: [], weight: 5 }, 'cn:ops'), {
    code: 'member_unknown',
    message: /c has not registered itself in etcd: start it, or give its address/,
  });
  await editor.change({ kind: 'add', name: 'c', addresses, labels: { role: 'x' }, zone: 'z', weight: 5 }, 'cn:ops');
  assert.match(etcd.get(key('members/c')) ?? '', /"state":"active".*"by":"cn:ops"/);
  await shows('a=https://a:1 b=https://b:1 c=https://c:1');
  await editor.change({ kind: 'add', name: 'c', addresses: [] }, 'cn:ops');
  await shows('a=https://a:1 b=https://b:1 c=https://c:1');
  const c = opened.source.view.value.members.find(({ name }) => name === 'c');
  assert.deepEqual([c?.labels, c?.zone, c?.weight], [{ role: 'x' }, 'z', 5], 'what is not said stays');
  await editor.change({ kind: 'drain', name: 'c' }, 'cn:ops');
  await editor.change({ kind: 'remove', name: 'b' }, 'cn:ops');
  await shows('a=https://a:1 c=https://c:1 draining -b');
  await editor.change({ kind: 'terminate', name: 'c' }, 'cn:ops');
  await editor.change({ kind: 'add', name: 'b', addresses: [] }, 'cn:ops');
  await shows('a=https://a:1 b=https://b:1 -c');
  const rejects = (kind: 'drain' | 'remove' | 'terminate', name: string, code: string, text: RegExp) =>
    assert.rejects(
      editor.change({ kind, name }, 'cn:ops'),
      (error: Error) => isSelvedgeError(error) && error.code === code && text.test(error.message),
    );
  await rejects('remove', 'nobody', 'member_unknown', /nobody is not a member/);
  await editor.change({ kind: 'remove', name: 'of-the-file' }, 'cn:ops', true);
  await shows('a=https://a:1 b=https://b:1 -c -of-the-file');
  await rejects('drain', 'c', 'member_unknown', /add it before/);
  etcd.denies = (of, access) => access === 'write' && of.includes('/members/');
  await rejects('drain', 'b', 'membership_not_writable', /"tester" write \/selvedge\/dev\/members\/b/);
  await etcd.stop();
  await rejects('drain', 'b', 'membership_unavailable', /etcd is away/);
});

test('a change that meets another one is made on what that left, and is given up where that goes on and on', async () => {
  const records = new Map<string, { value: string; modRevision: number }>();
  let revision = 0;
  const put = (of: string, value: object) => {
    revision += 1;
    records.set(of, { value: JSON.stringify(value), modRevision: revision });
  };
  let meddle = () => {};
  const editor = createEtcdEditor({
    client: {
      get: async of => {
        const found = records.get(of);
        return found === undefined ? undefined : { key: of, lease: '0', ...found };
      },
      transact: async ([condition], [write]) => {
        meddle();
        assert.ok(condition !== undefined && 'modRevision' in condition && write?.kind === 'put');
        if (condition.modRevision !== (records.get(condition.key)?.modRevision ?? 0)) return false;
        put(write.key, JSON.parse(write.value));
        return true;
      },
    },
    prefix: ETCD_PREFIX,
    isKnown: () => true,
    user: () => undefined,
  });
  meddle = () => {
    meddle = () => {};
    put(key('members/b'), { ...{ state: 'active', by: 'ops', atMs: 1 }, zone: 'z' });
  };
  await editor.change({ kind: 'drain', name: 'b' }, 'cn:ops');
  const { state, zone } = JSON.parse(records.get(key('members/b'))?.value ?? '');
  assert.deepEqual([state, zone], ['draining', 'z']);
  meddle = () => put(key('members/b'), { state: 'active', by: 'ops', atMs: 1 });
  await assert.rejects(editor.change({ kind: 'drain', name: 'b' }, 'cn:ops'), { code: 'membership_unavailable' });
});
