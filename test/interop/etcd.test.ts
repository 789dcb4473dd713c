import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { freePorts } from '../../scripts/kit/free-ports.ts';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';
import { isSelvedgeError } from '../../src/errors/selvedge-error.ts';
import { parseAddress, type TcpAddress } from '../../src/identity/address.ts';
import { constant } from '../../src/lifecycle/observable-value.ts';
import { openEtcdConnection } from '../../src/node/etcd-connection.ts';
import { EtcdClient } from '../../src/rpc/etcd-client.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { LOOPBACK_NAMES } from '../kit/bare-grpc.ts';
import { type CredentialDirectory, makeCredentialDirectory } from '../kit/credential-directory.ts';
import {
  ETCD_PREFIX,
  type EtcdSourceRequest,
  makeDataDir,
  type OpenedEtcdSource,
  openTestEtcdSource,
  viewIn,
  wordAt,
} from '../kit/etcd-source.ts';
import { openStore } from '../kit/open-store.ts';
import { nodeSettings } from '../kit/tls-settings.ts';
import { until } from '../kit/until.ts';
import { EtcdAdmin, type EtcdProcess, etcdChannel, nodePermissions, startEtcd, startEtcdCluster } from './etcd.ts';
import { findEtcd, needsUnguarded, whyNoEtcd } from './etcd-binary.ts';

// Against etcd itself: mutual TLS, its own access control, restarts, compaction, rotation and moves.
let whyNot = '';
before(async () => {
  whyNot = await whyNoEtcd();
});

const DEADLINE_MS = 60_000;
const key = (rest: string) => ETCD_PREFIX + rest;

interface EtcdCluster {
  readonly etcd: EtcdProcess;
  readonly authority: Authority;
  readonly server: CredentialDirectory;
  /** As the user `root`. */
  readonly admin: EtcdAdmin;
  readonly root: EtcdClient;
  /** A node whose certificate has this CN. */
  open(name: string, request?: ClusterRequest): Promise<OpenedEtcdSource>;
  client(commonName: string): Promise<EtcdClient>;
  /** As the user `root`, where etcd listens now. */
  adminNow(): Promise<EtcdAdmin>;
}

type ClusterRequest = EtcdSourceRequest & {
  /** Default: the name of the node. */
  readonly user?: string;
  readonly credentials?: CredentialDirectory;
  /** Beside the port of now. */
  readonly otherPorts?: readonly number[];
};

/** An etcd over mutual TLS in which each of `nodes` may write its own keys, and read all; or with no users at all. */
async function setUp(t: TestContext, nodes: readonly string[] = []): Promise<EtcdCluster> {
  const isUnguarded = await needsUnguarded(t);
  const directory = await mkdtemp(join(tmpdir(), 'selvedge-etcd-'));
  const authority = await createAuthority();
  const server = await makeCredentialDirectory(t, { authority, request: { commonName: 'etcd', ...LOOPBACK_NAMES } });
  const etcd = await startEtcd(directory, { credentials: server });
  t.after(async () => {
    await etcd.stop();
    await rm(directory, { recursive: true });
  });
  const channelOf = async (commonName: string) =>
    etcdChannel(t, etcd.port, await makeCredentialDirectory(t, { authority, request: { commonName } }));
  const rootChannel = await channelOf('root');
  const admin = new EtcdAdmin(rootChannel);
  for (const name of nodes) await admin.addUser(name, nodePermissions(ETCD_PREFIX, name));
  if (nodes.length > 0) await admin.enableAuth();
  return {
    etcd,
    authority,
    server,
    admin,
    root: new EtcdClient(rootChannel, { timeoutMs: DEADLINE_MS }),
    adminNow: async () => new EtcdAdmin(await channelOf('root')),
    client: async commonName => new EtcdClient(await channelOf(commonName), { timeoutMs: 20_000 }),
    open: async (nodeName, request = {}) => {
      const { user = nodeName, otherPorts = [], credentials, ...options } = request;
      const shown = credentials ?? (await makeCredentialDirectory(t, { authority, request: { commonName: user } }));
      const store = await openStore(t, shown, { watch: true });
      const endpoints = [etcd.port, ...otherPorts].map(port => parseAddress(`https://127.0.0.1:${port}`) as TcpAddress);
      const connection = openEtcdConnection({
        etcd: { endpoints, requestTimeoutMs: 5_000, leaseTtlMs: 10_000 },
        settings: constant(nodeSettings()),
        trust: store.snapshot,
        logger: options.logger ?? silentLogger,
      });
      return openTestEtcdSource(t, {
        connection,
        nodeName,
        requestTimeoutMs: 5_000,
        leaseTtlMs: 10_000,
        allowUnguarded: isUnguarded,
        ...options,
        timing: { freezeAfterMs: 1_000, askEveryMs: 2_000, ...options.timing },
      });
    },
  };
}

const shows = (opened: OpenedEtcdSource, expected: string) =>
  until(
    `${expected}, not ${viewIn(opened)}`,
    () => viewIn(opened) === expected && opened.source.standing.value.state === 'current',
    DEADLINE_MS,
  );

test('with users by certificate each node registers itself, and no node anything of another', async t => {
  if (whyNot !== '') return t.skip(whyNot);
  const cluster = await setUp(t, ['a', 'b', 'evil']);
  const [a, b] = [await cluster.open('a'), await cluster.open('b')];
  await shows(a, 'a=https://a:1 b=https://b:1');
  await shows(b, 'a=https://a:1 b=https://b:1');
  assert.deepEqual([a.problem(), b.problem()], [undefined, undefined]);

  const evil = await cluster.client('evil');
  const stolen = (await evil.get(key('holders/a')))?.lease ?? '';
  assert.notEqual(stolen, '', 'it may read');
  const denied = (attack: Promise<unknown>) => assert.rejects(attack, { code: status.PERMISSION_DENIED });
  for (const of of ['nodes/a', 'holders/a', 'members/a', 'nodes/new', 'holders/new', 'members/new', 'members/evil']) {
    await denied(evil.transact([], [{ kind: 'put', key: key(of), value: '{}' }]));
    await denied(evil.transact([], [{ kind: 'delete', key: key(of) }]));
  }
  await denied(evil.revokeLease(stolen));
  // Which an older etcd allows in a transaction; then nobody but root can end the lease, which a node does not count on.
  const attaching = evil.transact([], [{ kind: 'put', key: key('nodes/evil'), value: '{}', lease: stolen }]);
  await attaching.catch(error => assert.equal(error.code, status.PERMISSION_DENIED));
  await denied(evil.revokeLease(stolen));
  await assert.rejects(
    cluster.open('a', { user: 'evil', leaseTtlMs: 1_000, timing: { holdMarginMs: 0 } }),
    (error: Error) => isSelvedgeError(error, 'node_name_held'),
  );
  await assert.rejects(
    cluster.open('new', { user: 'evil' }),
    (error: Error) =>
      isSelvedgeError(error, 'membership_not_writable') && /the user "evil" write .*holders\/new/.test(error.message),
  );
  const own = await cluster.open('evil');
  await assert.rejects(
    own.source.editor.change({ kind: 'remove', name: 'a' }, 'cn:evil'),
    (error: Error) => isSelvedgeError(error, 'membership_not_writable') && /members\/a/.test(error.message),
  );
  await assert.rejects(
    cluster.open('c', { user: 'stranger' }),
    (error: Error) => isSelvedgeError(error, 'membership_unavailable') && /"stranger" read/.test(error.message),
  );
  await shows(a, 'a=https://a:1 b=https://b:1 evil=https://evil:1');

  const root = await cluster.open('ops', { user: 'root', allowUnguarded: true, isAnnounced: false });
  await root.source.editor.change({ kind: 'remove', name: 'evil' }, 'cn:ops');
  await root.source.editor.change({ kind: 'drain', name: 'b' }, 'cn:ops');
  await shows(a, 'a=https://a:1 b=https://b:1 draining -evil');
  await a.close();
  assert.equal(await cluster.root.get(key('holders/a')), undefined, 'it gave its name back all the same');
});

test('without users of etcd a node does not start, unless that is allowed; that they are gone is a problem', async t => {
  if (whyNot !== '') return t.skip(whyNot);
  const cluster = await setUp(t);
  await assert.rejects(cluster.open('a', { allowUnguarded: false }), (error: Error) =>
    isSelvedgeError(error, 'config_invalid'),
  );
  const allowed = await cluster.open('a', { allowUnguarded: true });
  await shows(allowed, 'a=https://a:1');
  assert.deepEqual([allowed.problem(), allowed.log.map(({ event }) => event)], [undefined, ['membership.unguarded']]);
  if (await needsUnguarded(t)) return;
  await cluster.admin.addUser('b', nodePermissions(ETCD_PREFIX, 'b'));
  await cluster.admin.enableAuth();
  const guarded = await cluster.open('b', { timing: { guardEveryMs: 200 } });
  assert.equal(guarded.problem(), undefined);
  await cluster.admin.disableAuth();
  await until('it says so', () => /any node could register/.test(guarded.problem() ?? ''), DEADLINE_MS);
});

test('an etcd that applies no users inside nested transactions is refused, and one that does is taken', async t => {
  if (whyNot !== '') return t.skip(whyNot);
  const cluster = await setUp(t, ['a', 'evil']);
  const evil = await cluster.client('evil');
  const attack = evil.transact([], [{ kind: 'nested', writes: [{ kind: 'put', key: key('nodes/a'), value: 'evil' }] }]);
  const opening = () => cluster.open('a', { allowUnguarded: false });
  if ((await findEtcd()).guardsNested) {
    await assert.rejects(attack, { code: status.PERMISSION_DENIED });
    assert.equal((await opening()).problem(), undefined);
    return;
  }
  await attack;
  const written = async () => (await cluster.root.rangeOf(key('nodes/'))).kvs.map(({ value }) => value);
  assert.deepEqual(await written(), ['evil'], 'so it is as bad as is said');
  await assert.rejects(
    opening(),
    (error: Error) => isSelvedgeError(error, 'config_invalid') && /inside nested transactions/.test(error.message),
  );
  assert.deepEqual(await written(), ['evil'], 'nothing was written to find out');
});

test('a grant by prefix that reaches names which begin alike is seen', async t => {
  if (whyNot !== '') return t.skip(whyNot);
  const cluster = await setUp(t, ['b']);
  await cluster.admin.addUser('a', nodePermissions(ETCD_PREFIX, 'a'));
  await (await cluster.open('a')).close();
  await cluster.admin.grant('a', { key: key('nodes/a'), end: key('nodes/b'), access: 'READWRITE' });
  await assert.rejects(cluster.open('a', { allowUnguarded: false }), /nodes\/a~guard~/);
});

test('an etcd that is killed, compacted and restarted loses nothing, and nobody leaves meanwhile', async t => {
  if (whyNot !== '') return t.skip(whyNot);
  const cluster = await setUp(t, ['a', 'b']);
  const { etcd, admin, root } = cluster;
  const [a, b] = [await cluster.open('a'), await cluster.open('b')];
  await shows(a, 'a=https://a:1 b=https://b:1');
  for (const round of [1, 2]) {
    await etcd.kill();
    await until('it is frozen', () => a.source.standing.value.state === 'frozen', DEADLINE_MS);
    assert.equal(viewIn(a), round === 1 ? 'a=https://a:1 b=https://b:1' : 'a=https://a:1 b=https://b:2');
    b.own.set(wordAt(`https://b:${round + 1}`));
    await etcd.start();
    await shows(a, `a=https://a:1 b=https://b:${round + 1}`);
    await admin.compact((await root.rangeOf(ETCD_PREFIX)).revision);
    await admin.put(key('members/c'), { state: 'active', addresses: [`https://c:${round}`], by: 'ops', atMs: 1 });
    await shows(a, `a=https://a:1 b=https://b:${round + 1} c=https://c:${round}`);
    await admin.delete(key('members/c'));
    await shows(a, `a=https://a:1 b=https://b:${round + 1}`);
  }
  await admin.delete(ETCD_PREFIX);
  await shows(a, 'a=https://a:1 b=https://b:3');
  const events = a.log.map(({ event }) => event).filter(event => event === 'membership.recovered');
  assert.ok(events.length >= 2);
});

test('an etcd whose data is lost makes nobody leave; who runs registers again, and the rest waits for a word', async t => {
  if (whyNot !== '') return t.skip(whyNot);
  const cluster = await setUp(t);
  const { etcd, admin } = cluster;
  await admin.put(key('members/c'), { state: 'active', addresses: ['https://c:1'], by: 'ops', atMs: 1 });
  await admin.put(key('members/d'), { state: 'removed', by: 'ops', atMs: 1 });
  const [a, b] = [await cluster.open('a', { allowUnguarded: true }), await cluster.open('b', { allowUnguarded: true })];
  const all = 'a=https://a:1 b=https://b:1 c=https://c:1 -d';
  await shows(a, all);
  await shows(b, all);
  await etcd.wipe();
  for (const each of [a, b]) {
    const { standing } = each.source;
    await until(
      'who is missing is said',
      () =>
        standing.value.state === 'frozen' &&
        /^what operators decided of c, d is not in etcd as before/.test(standing.value.problem),
      DEADLINE_MS,
    );
    assert.equal(viewIn(each), all);
  }
  await a.source.editor.change({ kind: 'remove', name: 'c' }, 'cn:ops');
  await a.source.editor.change({ kind: 'remove', name: 'd' }, 'cn:ops');
  await shows(a, 'a=https://a:1 b=https://b:1 -c -d');
  await shows(b, 'a=https://a:1 b=https://b:1 -c -d');
});

test('a name under a lease is taken over by the same node at once, and by another when the lease has ended', async t => {
  if (whyNot !== '') return t.skip(whyNot);
  const cluster = await setUp(t, ['a']);
  const [dataDir, otherDir] = [await makeDataDir(t), await makeDataDir(t)];
  const lost = await cluster.root.grantLease(2);
  await cluster.admin.putUnder(lost, key('holders/a'), { id: 'somebody who is gone', generation: 1 });
  const first = await cluster.open('a', { dataDir });
  assert.ok(await cluster.root.get(key('holders/a')), 'it waited');
  await assert.rejects(
    cluster.open('a', { dataDir: otherDir, leaseTtlMs: 2_000, timing: { holdMarginMs: 0 } }),
    (error: Error) => isSelvedgeError(error, 'node_name_held'),
  );
  await first.close();
  assert.equal(await cluster.root.get(key('holders/a')), undefined);
  assert.ok(await cluster.root.get(key('nodes/a')));
  const other = await cluster.open('a', { dataDir: otherDir });
  await shows(other, 'a=https://a:1');
});

test('certificates of both sides rotate, and the endpoint moves, under a watch that misses nothing', async t => {
  if (whyNot !== '') return t.skip(whyNot);
  const cluster = await setUp(t, ['a']);
  const { etcd, authority, server, admin } = cluster;
  const [port = 0] = await freePorts(1);
  const credentials = await makeCredentialDirectory(t, { authority, request: { commonName: 'a' } });
  const a = await cluster.open('a', { credentials, otherPorts: [port] });
  await shows(a, 'a=https://a:1');
  const announceC = async (at: number) => {
    await admin.put(key('members/c'), { state: 'active', addresses: [`https://c:${at}`], by: 'ops', atMs: 1 });
    await shows(a, `a=https://a:1 c=https://c:${at}`);
  };
  await announceC(1);
  const moves = a.moves();
  await credentials.renew({ commonName: 'a' });
  await until('calls go over a connection with the new certificate', () => a.moves() > moves, DEADLINE_MS);
  await announceC(2);
  assert.deepEqual(
    a.log.filter(({ event }) => event === 'membership.frozen'),
    [],
    'a rotation is no outage',
  );
  await server.renew({ commonName: 'etcd', ...LOOPBACK_NAMES });
  await etcd.restart();
  await announceC(3);
  await etcd.kill();
  await etcd.start(port);
  await until(
    'it has found the other endpoint',
    () => a.source.standing.value.state === 'current' && viewIn(a) === 'a=https://a:1 c=https://c:3',
    DEADLINE_MS,
  );
  await (await cluster.adminNow()).put(key('members/c'), {
    state: 'active',
    addresses: ['https://c:4'],
    by: 'ops',
    atMs: 1,
  });
  await shows(a, 'a=https://a:1 c=https://c:4');
});

test('a server whose certificate is for another host is not etcd, and one in plaintext is taken where that is said', async t => {
  if (whyNot !== '') return t.skip(whyNot);
  const cluster = await setUp(t, ['a']);
  await cluster.server.renew({ commonName: 'elsewhere', dnsNames: ['elsewhere.example'] });
  await cluster.etcd.restart();
  await assert.rejects(
    cluster.open('a'),
    (error: Error) => isSelvedgeError(error, 'membership_unavailable') && /is not for 127.0.0.1/.test(error.message),
  );
  const directory = await makeDataDir(t);
  const plain = await startEtcd(join(directory, 'plain'));
  t.after(() => plain.stop());
  const connection = openEtcdConnection({
    etcd: { endpoints: [parseAddress(plain.endpoint) as TcpAddress], requestTimeoutMs: 5_000, leaseTtlMs: 10_000 },
    settings: constant(nodeSettings()),
    trust: undefined,
    logger: silentLogger,
  });
  const opened = await openTestEtcdSource(t, { connection, nodeName: 'a' });
  await shows(opened, 'a=https://a:1');
});

test('each server of an etcd cluster is killed in turn, its leader among them, and nothing is missed', async t => {
  if (whyNot !== '') return t.skip(whyNot);
  const directory = await makeDataDir(t);
  const authority = await createAuthority();
  const issue = (commonName: string) =>
    makeCredentialDirectory(t, { authority, request: { commonName, ...LOOPBACK_NAMES } });
  const servers = await startEtcdCluster(directory, 3, { credentials: await issue('etcd') });
  t.after(() => Promise.all(servers.map(server => server.stop())));
  const endpoints = servers.map(({ endpoint }) => parseAddress(endpoint) as TcpAddress);
  const open = async (nodeName: string) => {
    const store = await openStore(t, await issue(nodeName));
    const etcd = { endpoints, requestTimeoutMs: 5_000, leaseTtlMs: 10_000 };
    const settings = constant(nodeSettings());
    const connection = openEtcdConnection({ etcd, settings, trust: store.snapshot, logger: silentLogger });
    return openTestEtcdSource(t, {
      connection,
      nodeName,
      startTimeoutMs: DEADLINE_MS,
      requestTimeoutMs: 5_000,
      leaseTtlMs: 30_000,
      timing: { freezeAfterMs: 1_000, askEveryMs: 2_000 },
    });
  };
  const [a, b] = [await open('a'), await open('b')];
  await shows(a, 'a=https://a:1 b=https://b:1');
  let port = 1;
  for (const server of servers) {
    await server.kill();
    port += 1;
    b.own.set(wordAt(`https://b:${port}`));
    await shows(a, `a=https://a:1 b=https://b:${port}`);
    await server.start();
  }
  // Without a majority there is no leader, so nothing is believed to be current.
  await Promise.all(servers.slice(1).map(server => server.kill()));
  await until('it is frozen', () => a.source.standing.value.state === 'frozen', DEADLINE_MS);
  b.own.set(wordAt('https://b:9'));
  assert.equal(viewIn(a), `a=https://a:1 b=https://b:${port}`);
  await Promise.all(servers.slice(1).map(server => server.start()));
  await shows(a, 'a=https://a:1 b=https://b:9');
  assert.deepEqual([a.problem(), b.problem()], [undefined, undefined]);
});
