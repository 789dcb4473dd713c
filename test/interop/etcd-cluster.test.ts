// Five daemons that know each other by etcd alone, under calls all the time, while an operator changes who they are.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { stringify } from 'smol-toml';
import { freePorts } from '../../scripts/kit/free-ports.ts';
import { writeFileAtomic } from '../../src/lifecycle/atomic-write.ts';
import { whyNoEtcd } from './etcd-binary.ts';
import { EtcdScene } from './etcd-scene.ts';

let whyNot = '';
before(async () => {
  whyNot = await whyNoEtcd();
});

const FIVE = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5'];

test('five daemons on etcd: members are added, drained, removed and terminated, etcd is killed, compacted and shows another certificate, and no call to a ready member fails', async t => {
  if (whyNot !== '') return t.skip(whyNot);
  const scene = await EtcdScene.make(t, [...FIVE, 'node-6']);
  await Promise.all(FIVE.map(name => scene.start(name)));
  await scene.allList(FIVE);

  await scene.start('node-6');
  await scene.allList([...FIVE, 'node-6']);
  await scene.ctl('nodes', 'add', 'node-6', '--label', 'tier=spare', '--zone', 'east', '--weight', '3');
  await scene.allShow('node-6', node => node.zone === 'east' && node.weight === 3 && node.labels.tier === 'spare');
  await scene.called();

  await scene.etcd.kill();
  await scene.allSay('membership.frozen');
  await scene.called();
  await scene.allList([...FIVE, 'node-6']);
  assert.equal((await scene.ctlFails('nodes', 'remove', 'node-2')).exitCode, 1);
  await scene.etcd.start();
  await scene.allSay('membership.recovered');
  await scene.called();

  await scene.ctl('nodes', 'drain', 'node-6');
  await scene.allShow('node-6', node => node.membership_state === 'draining');
  await scene.compact();
  await scene.cluster.store.rotate('etcd');
  await scene.cluster.store.rotate('node-2');
  await scene.daemon('node-2').waitFor('tls.reloaded');
  const since = scene.marks();
  await scene.etcd.kill();
  await scene.allSay('membership.frozen', since);
  await scene.etcd.start();
  await scene.allSay('membership.recovered', since);
  await scene.called();

  await scene.ctl('nodes', 'terminate', 'node-6');
  assert.equal(await scene.daemon('node-6').exited, 0);
  scene.forget('node-6');
  await scene.allList(FIVE);
  const again = scene.spawn('node-6');
  assert.equal(await again.exited, 1);
  assert.match(again.stderr, /node-6 was removed from the cluster/);
  scene.forget('node-6');

  await scene.attack();
  await scene.allList(FIVE);
  await scene.called();

  const { failures, failed, ...calls } = await scene.stopLoad();
  t.diagnostic(`calls: ${JSON.stringify(calls)}`);
  assert.deepEqual([failures, failed], [[], 0]);
  const tables = await Promise.all(FIVE.map(name => scene.table(name)));
  for (const table of tables) assert.deepEqual(table, tables[0]);
  assert.deepEqual(await Promise.all(FIVE.map(name => scene.daemon(name).stop())), [0, 0, 0, 0, 0]);
});

test('a cluster moves from a file to etcd and back while it runs, and no call fails', async t => {
  if (whyNot !== '') return t.skip(whyNot);
  const names = ['node-1', 'node-2', 'node-3'];
  const scene = await EtcdScene.make(t, names);
  const ports = await freePorts(names.length);
  const file = scene.cluster.path('members.toml');
  const member = names.map((name, index) => ({ name, address: `https://127.0.0.1:${ports[index]}` }));
  await writeFileAtomic(file, stringify({ member }), 0o600);
  const etcd = scene.config;
  const tables = {
    file: { source: 'file', 'members-file': file },
    both: { source: ['file', 'etcd'], 'members-file': file, etcd },
    back: { source: ['etcd', 'file'], 'members-file': file, etcd },
    etcd: { source: 'etcd', etcd },
  };
  const networking = (index: number) => ({ 'bind-address': `127.0.0.1:${ports[index]}` });
  const write = (name: string, membership: object) =>
    scene.cluster.writeConfig(name, { networking: networking(names.indexOf(name)), top: { membership } });
  const reload = async (name: string, membership: object, event: string) => {
    await write(name, membership);
    const daemon = scene.daemon(name);
    const since = daemon.lines.length;
    daemon.signal('SIGHUP');
    return daemon.waitFor(event, () => true, since);
  };
  for (const name of names) {
    await write(name, tables.file);
    await scene.spawn(name).waitFor('node.ready');
  }
  await scene.allList(names);

  // Straight to etcd, where nobody is registered yet: refused, with who would be lost.
  const rejected = await reload('node-1', tables.etcd, 'config.reload_rejected');
  assert.match(JSON.stringify(rejected), /node-2, node-3 would be no member any more/);
  for (const step of [tables.both, tables.etcd, tables.back, tables.file]) {
    for (const name of names) {
      await reload(name, step, 'config.reloaded');
      await scene.called();
    }
    await scene.allList(names);
  }
  const { failures, failed, ...calls } = await scene.stopLoad();
  t.diagnostic(`calls: ${JSON.stringify(calls)}`);
  assert.deepEqual([failures, failed], [[], 0]);
  for (const name of names) {
    const lost = scene.daemon(name).lines.filter(line => line.event === 'membership.changed' && 'left' in line);
    assert.deepEqual(lost, [], name);
  }
});
