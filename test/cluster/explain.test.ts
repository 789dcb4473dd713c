import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { createAuthority } from '../../src/dev-pki/authority.ts';
import { nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { runCtl } from '../cli/programs.ts';
import { askLocally, closedPort, fabricPort, peerOnce, refusal, TestCluster } from './test-cluster.ts';

/** What a command printed: the assertions say of what shape it is. */
type Json = ReturnType<typeof JSON.parse>;

const DRAIN = '/selvedge.control.v1.NodeControl/Drain';
const PREFLIGHT = '/selvedge.control.v1.ClusterControl/Preflight';
const STATUS = '/selvedge.control.v1.NodeControl/GetStatus';

const POLICY = {
  name: 'shop',
  deny_rules: [
    { name: 'no-preflight', source: { principals: ['spiffe://dev/fabric/*'] }, request: { paths: [PREFLIGHT] } },
  ],
  allow_rules: [{ name: 'gold', request: { headers: [{ key: 'plan', values: ['gold'] }] } }],
};
const SHADOW = {
  name: 'tighter',
  deny_rules: [{ name: 'no-status', source: { principals: ['role:peer'] }, request: { paths: [STATUS] } }],
  allow_rules: [{ name: 'all' }],
};

test('a running node says why somebody is admitted and may call what', async t => {
  const cluster = await TestCluster.make(t);
  const [port2, port3] = [await closedPort(), await closedPort()];
  await writeFile(cluster.path('policy.json'), JSON.stringify(POLICY));
  await writeFile(cluster.path('shadow.json'), JSON.stringify(SHADOW));
  const authorization = {
    'admin-subject-names': ['uri:spiffe://dev/admin/*'],
    'policy-file': 'policy.json',
    'shadow-policy-file': 'shadow.json',
  };
  const config1 = {
    top: { authorization },
    members: [
      ['node-2', `127.0.0.1:${port2}`],
      ['node-3', `127.0.0.1:${port3}`],
    ],
  } as const;
  const node1 = await cluster.start('node-1', config1);
  const node2 = await cluster.start('node-2', {
    networking: { 'bind-address': `127.0.0.1:${port2}` },
    members: [['node-1', `127.0.0.1:${fabricPort(node1)}`]],
  });
  await peerOnce(node1, 'node-2', ({ state }) => state === 'connected');
  await peerOnce(node2, 'node-1', ({ state }) => state === 'connected');
  const { certFile: adminCert, keyFile: adminKey } = await cluster.store.issueAdmin({ adminName: 'alice' });
  const cert2 = cluster.path('certs/node-2.pem');
  const ask = async (
    node: string,
    args: readonly string[],
  ): Promise<{ readonly exitCode: number; readonly found: Json }> => {
    const [topic = '', ...more] = args;
    const run = await runCtl([topic, 'explain', '--config', cluster.path(`${node}.toml`), '-o', 'json', ...more]);
    return { exitCode: run.exitCode, found: run.stdout === '' ? run.stderr : JSON.parse(run.stdout) };
  };

  await t.test('a peer is explained in the direction of each of its connections', async () => {
    const [of2, of1] = [
      await ask('node-1', ['tls', '--peer', 'node-2']),
      await ask('node-2', ['tls', '--peer', 'node-1']),
    ];
    assert.deepEqual([of2.exitCode, of1.exitCode], [0, 0]);
    const all = [...of2.found, ...of1.found];
    const inbound = all.find(each => each.connection.direction === 'inbound');
    const outbound = all.find(each => each.connection.direction === 'outbound');
    assert.equal(inbound.usage, 'client');
    assert.deepEqual(inbound.roles, ['peer']);
    assert.deepEqual(inbound.proves_nodes, [inbound.node_name]);
    assert.equal(inbound.matched.pattern, 'uri:spiffe://dev/fabric/*');
    const [peer, admin, observer] = inbound.role_patterns;
    assert.deepEqual([peer.role, peer.matched.kind, peer.nearest], ['peer', 'uri', null]);
    assert.equal(admin.matched, null);
    assert.match(admin.nearest.why, /segment 1 is "fabric" where the pattern has "admin"/);
    assert.deepEqual([observer.nearest, observer.patterns], [null, 0]);
    assert.deepEqual(
      inbound.chain.map(({ subject, is_anchor }: Json) => [subject, is_anchor]),
      [
        [`CN=${inbound.node_name}`, false],
        ['CN=dev development CA', true],
      ],
    );
    assert.equal(outbound.usage, 'server');
    assert.deepEqual(outbound.expectation, {
      profile: 'default',
      kind: 'node_identity',
      expected: [`uri:spiffe://dev/fabric/${outbound.node_name}`],
      nearest: null,
    });
    assert.equal(outbound.matched.value, `spiffe://dev/fabric/${outbound.node_name}`);
    assert.equal(outbound.names.spiffe_id, `spiffe://dev/fabric/${outbound.node_name}`);
  });

  await t.test('a connection is explained by its number', async () => {
    const { connections } = await askLocally(node1, 'ListConnections');
    const known = connections.find(({ nodeName }) => nodeName === 'node-2');
    const { found } = await ask('node-1', ['tls', '--connection', `${known?.id}`]);
    assert.ok(
      found.some((each: Json) => each.connection.direction === known?.direction && each.node_name === 'node-2'),
    );
    assert.deepEqual(await ask('node-1', ['tls', '--connection', '99999']), {
      exitCode: 1,
      found:
        'selvedgectl: No open connection has the number 99999. selvedgectl connections lists those that are open.\n',
    });
  });

  await t.test('a member that is not connected is told of with the reason', async () => {
    await peerOnce(node1, 'node-3', ({ state }) => state === 'unreachable');
    for (const topic of ['tls', 'authz']) {
      const { exitCode, found } = await ask('node-1', [topic, '--peer', 'node-3']);
      assert.equal(exitCode, 3);
      assert.equal(found[0].admitted, false);
      assert.match(found[0].detail, /^no stream to it is open, it is unreachable: .*ECONNREFUSED/);
    }
    const { exitCode, found } = await ask('node-1', ['tls', '--peer', 'node-9']);
    assert.equal(exitCode, 1);
    assert.match(found, /: node-9 is no member and has no connection here/);
  });

  await t.test('a certificate is judged by what the node holds now, and not by what the file says', async () => {
    const stranger = await (await createAuthority()).issue({ uris: ['spiffe://dev/fabric/node-2'] });
    await writeFile(cluster.path('stranger.pem'), stranger.certPem);
    const refused = await ask('node-1', ['tls', '--live', '--cert', cluster.path('stranger.pem')]);
    assert.equal(refused.exitCode, 3);
    const [{ reason, chain, role_patterns, proves_nodes }] = refused.found;
    assert.deepEqual([reason, role_patterns, proves_nodes], ['unknown_ca', [], []]);
    assert.deepEqual(
      chain.map(({ is_anchor }: Json) => is_anchor),
      [false],
    );
    const good = await ask('node-1', ['tls', '--live', '--cert', cert2]);
    assert.deepEqual([good.exitCode, good.found[0].cert, good.found[0].connection], [0, cert2, null]);
    assert.deepEqual(good.found[0].proves_nodes, ['node-2']);
  });

  await t.test(
    'methods come with the rule that permits or denies them, and what the shadow policy would say',
    async () => {
      const { exitCode, found } = await ask('node-1', ['authz', '--peer', 'node-2']);
      assert.equal(exitCode, 0);
      const [{ principal, methods }] = found;
      assert.equal(principal, 'spiffe://dev/fabric/node-2');
      const of = (path: string): Json => methods.find(({ method }: Json) => method === path);
      assert.deepEqual(of(PREFLIGHT), {
        method: PREFLIGHT,
        served: true,
        allowed: false,
        policy: 'shop',
        rule: 'no-preflight',
        why: 'the deny rule matches',
        shadow: { allowed: true, policy: 'built-in', rule: 'reading', why: 'it is open to peer' },
      });
      assert.deepEqual(
        [of(STATUS).allowed, of(STATUS).shadow.allowed, of(STATUS).shadow.rule],
        [true, false, 'no-status'],
      );
      assert.deepEqual([of(DRAIN).rule, of(DRAIN).why], ['changing', 'it takes admin or local']);
    },
  );

  await t.test('one method is asked about with its headers, and decides the exit code', async () => {
    const buy = ['authz', '--peer', 'node-2', '--method', 'acme.Shop/Buy'];
    const denied = await ask('node-1', buy);
    assert.equal(denied.exitCode, 3);
    const [{ method, served, rule, why }] = denied.found[0].methods;
    assert.deepEqual([method, served, rule], ['/acme.Shop/Buy', false, '']);
    assert.equal(why, 'no rule allows it; the nearest is "gold", but for the headers');
    const allowed = await ask('node-1', [...buy, '--header', 'plan=gold']);
    assert.deepEqual([allowed.exitCode, allowed.found[0].methods[0].rule], [0, 'gold']);
    assert.equal((await ask('node-1', ['authz', '--cert', adminCert, '--method', DRAIN])).exitCode, 0);
    assert.equal((await ask('node-1', ['authz', '--cert', cert2, '--method', DRAIN])).exitCode, 3);
  });

  await t.test('it is for operators alone, and who is denied learns nothing but that', async () => {
    const address = `https://127.0.0.1:${fabricPort(node1)}`;
    const as = (cert: string, key: string) =>
      runCtl([
        ...['authz', 'explain', '-s', address, '--tls-ca', cluster.path('certs/ca.pem'), '--tls-cert', cert],
        ...['--tls-key', key, '--cert', cert2, '--method', DRAIN],
      ]);
    assert.match((await as(adminCert, adminKey)).stdout, /^principal +spiffe:\/\/dev\/fabric\/node-2$/m);
    const denied = await as(cert2, cluster.path('certs/node-2.key'));
    assert.deepEqual([denied.exitCode, denied.stdout], [1, '']);
    assert.match(
      denied.stderr,
      /permission denied for selvedge.control.v1.NodeControl\/Explain. It needs the role admin or observer/,
    );
    const [ca, key, cert] = await Promise.all(
      ['ca.pem', 'node-2.key', 'node-2.pem'].map(name => readFile(cluster.path('certs', name))),
    );
    const credentials = grpc.credentials.createSsl(ca, key, cert);
    const client = new grpc.Client(`127.0.0.1:${fabricPort(node1)}`, credentials);
    t.after(() => client.close());
    const request = { nodeName: 'node-2', method: '', headers: [] };
    await assert.rejects(callUnary(client, nodeControl, 'Explain', request), (error: grpc.ServiceError) => {
      assert.deepEqual([error.code, error.details], [grpc.status.PERMISSION_DENIED, 'permission denied']);
      assert.doesNotMatch(JSON.stringify(error.metadata.toJSON()), /private-reading|shop|admin/);
      return true;
    });
  });

  await t.test('a change of the lists holds for the next question', async () => {
    const denied = { 'denied-certificates': ['uri:spiffe://dev/fabric/node-2'] };
    await cluster.writeConfig('node-1', { ...config1, tls: denied });
    await node1.waitFor('config.reloaded');
    const { exitCode, found } = await ask('node-1', ['tls', '--live', '--cert', cert2]);
    assert.equal(exitCode, 3);
    assert.deepEqual(
      [found[0].reason, found[0].detail],
      ['certificate_revoked', 'denied-certificates lists uri:spiffe://dev/fabric/node-2'],
    );
  });

  await t.test('who knocks and is refused is explained by the certificate that it showed', async () => {
    const fingerprint = new X509Certificate(await readFile(cert2)).fingerprint256.replaceAll(':', '').toLowerCase();
    await refusal(node1, 'certificate_revoked', { direction: 'inbound', fingerprint });
    await peerOnce(node1, 'node-2', ({ state }) => state !== 'connected' && state !== 'draining');
    const byPeer = (await ask('node-1', ['tls', '--peer', 'node-2'])).found.filter(
      (each: Json) => each.refused !== null,
    );
    const byPrint = await ask('node-1', ['tls', '--fingerprint', `sha256:${fingerprint}`]);
    const all = await ask('node-1', ['tls', '--refused']);
    for (const [told] of [byPeer, byPrint.found, all.found]) {
      assert.deepEqual([told.refused.reason, told.admitted, told.node_name], ['certificate_revoked', false, 'node-2']);
      assert.equal(told.chain[0].fingerprint_sha256, fingerprint);
    }
    assert.deepEqual([byPrint.exitCode, all.exitCode], [3, 3]);

    const since = node1.lines.length;
    await cluster.writeConfig('node-1', config1);
    await node1.waitFor('config.reloaded', () => true, since);
    const [now] = (await ask('node-1', ['tls', '--fingerprint', fingerprint])).found.filter(
      (each: Json) => each.refused,
    );
    assert.deepEqual([now.refused.reason, now.admitted, now.reason], ['certificate_revoked', true, null]);
  });
});
