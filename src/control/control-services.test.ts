import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { callAs } from '../../test/kit/call-as.ts';
import { type CredentialDirectory, makeCredentialDirectory } from '../../test/kit/credential-directory.ts';
import { connectionMessage, nodeFacts, peerEntry } from '../../test/kit/node-facts.ts';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import { until } from '../../test/kit/until.ts';
import { openCredentialsStore } from '../credentials/credentials-store.ts';
import { type Authority, createAuthority } from '../dev-pki/authority.ts';
import { parseAddress } from '../identity/address.ts';
import type { CaRoot, CaState } from '../rpc/ca-messages.ts';
import type { Role } from '../rpc/caller.ts';
import { type CheckModeResponse, clusterControl, type NodeStatus, nodeControl } from '../rpc/control-messages.ts';
import { callUnary } from '../rpc/service.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { createClusterControl } from './cluster-control.ts';
import { statusOfNode } from './messages-of.ts';
import { createNodeControl } from './node-control.ts';
import type { NodeFacts } from './node-facts.ts';

const SECRETS = /node-[0-9]\.example|node-[2-9]|10\.0\.0\.|127\.0\.0\.1|CN=/;
const READING_NODE = ['GetStatus', 'ListConnections', 'GetTlsState', 'GetCaState', 'CheckMode'] as const;
const READING_CLUSTER = ['GetClusterStatus', 'ListNodes', 'GetCaStatus', 'Preflight'] as const;

// `node-2` cannot be reached, which is told in words that hold its address.
const FACTS: Partial<NodeFacts> = {
  peers: () => [
    peerEntry({
      state: 'unreachable',
      detail: 'connect ECONNREFUSED 10.0.0.2:5122',
      addresses: [parseAddress('https://node-2.example')],
    }),
  ],
  removed: () => ['node-4'],
  connections: () => [connectionMessage({ subject: 'CN=node-3', identity: 'node-3.example' })],
  tls: () => ({ requireClientAuth: true, minVersion: 'TLSv1.3', allowedSubjectNames: ['dns:node-2.example'] }),
};

for (const role of ['peer', 'anonymous'] as const) {
  test(`to ${role} no reading method shows an address, a host name, a subject or who else there is`, async t => {
    const client = await start(t, role);
    for (const method of READING_NODE) {
      const answer = await callUnary(client, nodeControl, method, { to: 'strict' });
      assert.doesNotMatch(JSON.stringify(answer), SECRETS, method);
      assert.equal(answer.addressesRedacted, true, method);
    }
    for (const method of READING_CLUSTER) {
      const answer = await callUnary(client, clusterControl, method, { to: 'strict' });
      assert.doesNotMatch(JSON.stringify(answer), SECRETS, method);
      assert.equal(answer.addressesRedacted, true, method);
    }
  });
}

for (const role of ['admin', 'observer', 'local'] as const) {
  test(`to ${role} reading methods show everything`, async t => {
    const client = await start(t, role);
    const status = await callUnary(client, nodeControl, 'GetStatus', {});
    assert.deepEqual(status.peers[0]?.addresses, ['https://node-2.example:5122']);
    assert.equal(status.addressesRedacted, false);
    const { connections } = await callUnary(client, nodeControl, 'ListConnections', {});
    assert.equal(connections[0]?.remoteAddress, '10.0.0.9:40000');
    const tls = await callUnary(client, nodeControl, 'GetTlsState', {});
    assert.deepEqual(tls.allowedSubjectNames, ['dns:node-2.example']);
    const preflight = await callUnary(client, clusterControl, 'Preflight', { to: 'strict' });
    assert.match(preflight.unreachable[0]?.reason ?? '', /127\.0\.0\.1:1/);
  });
}

test('an unknown mode is INVALID_ARGUMENT', async t => {
  const client = await start(t, 'admin');
  await assert.rejects(callUnary(client, nodeControl, 'CheckMode', { to: 'off' }), {
    code: grpc.status.INVALID_ARGUMENT,
  });
});

test('a preflight is not ready while a member does not answer', async t => {
  const client = await start(t, 'admin', { peers: () => [peerEntry({ name: 'node-10' }), peerEntry()] });
  const { ready, nodes, unreachable } = await callUnary(client, clusterControl, 'Preflight', { to: 'optional' });
  assert.equal(ready, false);
  assert.deepEqual(
    nodes.map(node => node.nodeName),
    ['node-1'],
  );
  assert.deepEqual(unreachable.map(node => node.nodeName).toSorted(), ['node-10', 'node-2']);
});

test('members answer a preflight as to a peer; who may not see topology gets the verdict on all and the node that is asked', async t => {
  const modeObstacles = [{ code: 'plaintext_connections', nodeName: '', detail: '' }];
  const answer: CheckModeResponse = {
    nodeName: 'node-2',
    from: 'optional',
    to: 'strict',
    ready: false,
    obstacles: ['Plaintext connections are open.'],
    addressesRedacted: true,
    modeObstacles,
  };
  const member = await callAs(t, 'peer', server => {
    server.addService(nodeControl.definition, {
      CheckMode: (_call: unknown, reply: grpc.sendUnaryData<CheckModeResponse>) => reply(null, answer),
    });
  });
  const { credentials } = await ownCredentials(t);
  const connected = peerEntry({ state: 'connected', security: { kind: 'mutual_tls', protocol: 'x', cipher: 'x' } });
  const facts: Partial<NodeFacts> = {
    credentials: () => credentials,
    peers: () => [connected],
    connections: () => [],
    askMember: () => member,
  };
  const ask = async (role: Role) =>
    callUnary(await start(t, role, facts), clusterControl, 'Preflight', { to: 'strict' });
  const own = { ...answer, nodeName: 'node-1', ready: true, obstacles: [], modeObstacles: [] };
  assert.deepEqual(await ask('observer'), {
    ready: false,
    nodes: [{ ...own, addressesRedacted: false }, answer],
    unreachable: [],
    addressesRedacted: false,
  });
  assert.deepEqual(await ask('peer'), { ready: false, nodes: [own], unreachable: [], addressesRedacted: true });
});

test('nodes are listed with this one, by name and number', async t => {
  const peers = () => [peerEntry({ name: 'node-10' }), peerEntry()];
  const client = await start(t, 'admin', { peers, removed: () => ['node-7'] });
  const { nodes, removed } = await callUnary(client, clusterControl, 'ListNodes', {});
  assert.deepEqual(
    nodes.map(node => node.nodeName),
    ['node-1', 'node-2', 'node-10'],
  );
  assert.deepEqual(removed, ['node-7']);
});

test('changing methods do what they say', async t => {
  let drained = 0;
  const client = await start(t, 'admin', {
    drain: () => {
      drained += 1;
    },
    reloadTls: async () => ({ result: 'failed', problems: ['ca.pem: is empty'], generation: 4 }),
  });
  assert.deepEqual(await callUnary(client, nodeControl, 'ReloadTls', {}), {
    result: 'failed',
    problems: ['ca.pem: is empty'],
    trustGeneration: 4,
  });
  assert.deepEqual(await callUnary(client, nodeControl, 'Drain', {}), { state: 'draining' });
  assert.equal(drained, 1);
});

test('of certificates near their end that a member tells without names, those that were seen here are told with them', async t => {
  const { credentials, fingerprint } = await ownCredentials(t);
  const seen = peerIdentity({ subject: 'CN=node-2', fingerprint256: 'aa'.repeat(32), commonName: 'node-2' });
  const expiring = [fingerprint, seen.fingerprint256, 'bb'.repeat(32)].map(fingerprintSha256 => ({
    usage: 'server',
    subject: '',
    fingerprintSha256,
    level: 'warning',
    expiresAtMs: 1,
    identity: '',
  }));
  const member = await callAs(t, 'peer', server => {
    server.addService(nodeControl.definition, {
      GetStatus: (_call: unknown, reply: grpc.sendUnaryData<NodeStatus>) =>
        reply(null, { ...statusOfNode(nodeFacts({ nodeName: 'node-2' })), expiring, addressesRedacted: true }),
    });
  });
  const facts = {
    credentials: () => credentials,
    peers: () => [peerEntry({ identity: seen })],
    askMember: () => member,
  };
  const told = async (role: Role) => {
    const { nodes } = await callUnary(await start(t, role, facts), clusterControl, 'GetClusterStatus', {});
    return nodes.find(({ nodeName }) => nodeName === 'node-2')?.expiring.map(({ subject }) => subject);
  };
  assert.deepEqual(await told('local'), ['CN=Selvedge development CA', 'CN=node-2', '']);
  assert.equal(await told('peer'), undefined);
});

test('who answers in the name of another member is not counted, wherever members are asked', async t => {
  const own = nodeFacts({ nodeName: 'node-2' });
  const thief = await callAs(t, 'peer', server => {
    server.addService(nodeControl.definition, createNodeControl(own));
  });
  const admin = await start(t, 'admin', { peers: () => [peerEntry({ name: 'node-3' })], askMember: () => thief });
  const status = await callUnary(admin, clusterControl, 'GetClusterStatus', {});
  const preflight = await callUnary(admin, clusterControl, 'Preflight', { to: 'plain' });
  for (const { nodes, unreachable } of [status, preflight]) {
    assert.equal(nodes.length, 1);
    assert.deepEqual(
      unreachable.map(({ nodeName }) => nodeName),
      ['node-3'],
    );
    assert.match(unreachable[0]?.reason ?? '', /in the name of another node/);
  }
  assert.equal(preflight.ready, false);
});

test('roots are told for both directions, and counted with what the members tell a peer', async t => {
  const { credentials, fingerprint } = await ownCredentials(t);
  const other: CaRoot = { subject: '', fingerprintSha256: 'ff'.repeat(32), notAfterMs: 1 };
  const usages = ['server', 'client'].map(usage => ({ usage, trustGeneration: 1, roots: [other], leafRoots: [] }));
  const member = await callAs(t, 'peer', server => {
    server.addService(nodeControl.definition, {
      GetCaState: (_call: unknown, reply: grpc.sendUnaryData<CaState>) =>
        reply(null, { nodeName: 'node-2', usages, addressesRedacted: true }),
    });
  });
  // An older version does not know the method.
  const older = await callAs(t, 'peer', () => {});
  const changes: Partial<NodeFacts> = {
    credentials: () => credentials,
    peers: () => [peerEntry(), peerEntry({ name: 'node-3' })],
    askMember: name => (name === 'node-2' ? member : older),
  };
  const admin = await start(t, 'admin', changes);
  const state = await callUnary(admin, nodeControl, 'GetCaState', {});
  assert.deepEqual(
    state.usages.map(({ usage, trustGeneration, roots, leafRoots }) => [
      usage,
      trustGeneration,
      roots.map(root => [root.subject, root.fingerprintSha256]),
      leafRoots,
    ]),
    ['server', 'client'].map(usage => [usage, 1, [['CN=Selvedge development CA', fingerprint]], [fingerprint]]),
  );

  const { roots, members, unknown, unreachable } = await callUnary(admin, clusterControl, 'GetCaStatus', {});
  assert.deepEqual([members, unknown, unreachable.map(({ nodeName }) => nodeName)], [3, 1, ['node-3']]);
  const own = roots.find(root => root.fingerprintSha256 === fingerprint);
  assert.deepEqual(
    own?.switch?.obstacles.map(({ nodeName }) => nodeName),
    ['node-2', 'node-3'],
  );
  assert.deepEqual([own?.trustedAsServer, own?.trustedAsClient, own?.presented], [1, 1, 1]);

  const peer = await start(t, 'peer', changes);
  const counted = await callUnary(peer, clusterControl, 'GetCaStatus', {});
  assert.doesNotMatch(JSON.stringify(counted), /node-|CN=/);
  assert.deepEqual(
    counted.roots.map(root => [root.fingerprintSha256, root.presented, root.switch]),
    roots.map(root => [root.fingerprintSha256, 0, { safe: root.switch?.safe, inTheWay: 0, obstacles: [] }]),
  );
  const told = await callUnary(peer, nodeControl, 'GetCaState', {});
  assert.deepEqual(told.usages[0]?.leafRoots, [fingerprint]);
});

test('a member that tells too much, or in the name of another, did not answer; and all who ask wait for one answer', async t => {
  let asked = 0;
  const waiting: (() => void)[] = [];
  const fingerprints = Array.from({ length: 5_000 }, (_, index) => index.toString(16).padStart(64, '0'));
  const roots = fingerprints.map(fingerprintSha256 => ({ subject: '', fingerprintSha256, notAfterMs: 1 }));
  const usages = [{ usage: 'server', trustGeneration: 1, roots, leafRoots: [] }];
  const answering = (state: CaState) =>
    callAs(t, 'peer', server => {
      server.addService(nodeControl.definition, {
        GetCaState: (_call: unknown, reply: grpc.sendUnaryData<CaState>) => {
          asked += 1;
          waiting.push(() => reply(null, state));
        },
      });
    });
  const many = await answering({ nodeName: 'node-2', usages, addressesRedacted: true });
  const other = await answering({ nodeName: 'node-1', usages: [], addressesRedacted: true });
  const { credentials } = await ownCredentials(t);
  const admin = await start(t, 'admin', {
    credentials: () => credentials,
    peers: () => [peerEntry(), peerEntry({ name: 'node-3' })],
    askMember: name => (name === 'node-2' ? many : other),
  });
  const callers = Array.from({ length: 5 }, () => callUnary(admin, clusterControl, 'GetCaStatus', {}));
  // Answers in turn, with one that runs between: the five questions lie on one connection before it.
  await until('both are asked', () => waiting.length === 2);
  await callUnary(admin, nodeControl, 'GetStatus', {});
  assert.equal(asked, 2);
  for (const answer of waiting) answer();
  for (const { unreachable, roots: counted, members } of await Promise.all(callers)) {
    assert.deepEqual(unreachable, [
      { nodeName: 'node-2', reason: 'its answer is not counted: it trusts more than 256 roots' },
      { nodeName: 'node-3', reason: 'its answer is not counted: it answered in the name of another node' },
    ]);
    assert.deepEqual([counted.length, members], [1, 3]);
  }
  assert.equal(asked, 2);
});

test('all who ask for the same preflight at a time wait for one question to each member', async t => {
  const waiting: (() => void)[] = [];
  const asked: string[] = [];
  const member = await callAs(t, 'peer', server => {
    server.addService(nodeControl.definition, {
      CheckMode: ({ request: { to } }: { request: { to: string } }, reply: grpc.sendUnaryData<CheckModeResponse>) => {
        asked.push(to);
        const facts = { nodeName: 'node-2', from: 'optional', to, ready: true, obstacles: [], modeObstacles: [] };
        waiting.push(() => reply(null, { ...facts, addressesRedacted: true }));
      },
    });
  });
  const client = await start(t, 'peer', { peers: () => [peerEntry()], askMember: () => member });
  const ask = (to: string) => callUnary(client, clusterControl, 'Preflight', { to });
  const callers = [ask('strict'), ask('strict'), ask('plain'), ask('strict')];
  await until('both are asked', () => waiting.length >= 2);
  await callUnary(client, nodeControl, 'GetStatus', {});
  assert.deepEqual(asked.toSorted(), ['plain', 'strict']);
  for (const answer of waiting) answer();
  assert.equal((await Promise.all(callers)).length, 4);
  const later = ask('strict');
  await until('it is asked anew', () => waiting.length === 3);
  waiting.at(-1)?.();
  await later;
});

test('where clients have a CA of their own, the anchors of one direction name the root of the other', async t => {
  const [serverCa, clientCa] = [await createAuthority(), await createAuthority()];
  const open = async (leaf: Authority, trusted: Authority) => {
    const files = await makeCredentialDirectory(t, { authority: leaf });
    await files.write('ca.pem', trusted.anchorsPem);
    return openStore(t, files);
  };
  const credentials = [
    { usage: 'server', store: await open(serverCa, clientCa) },
    { usage: 'client', store: await open(clientCa, serverCa) },
  ];
  const client = await start(t, 'admin', { credentials: () => credentials });
  const { usages } = await callUnary(client, nodeControl, 'GetCaState', {});
  assert.deepEqual(
    usages.map(({ roots, leafRoots }) => [roots.map(root => root.fingerprintSha256), leafRoots]),
    [
      [[fingerprintOf(clientCa)], [fingerprintOf(serverCa)]],
      [[fingerprintOf(serverCa)], [fingerprintOf(clientCa)]],
    ],
  );
});

async function ownCredentials(t: TestContext) {
  const files = await makeCredentialDirectory(t);
  const credentials = [{ usage: 'server', store: await openStore(t, files) }];
  return { credentials, fingerprint: fingerprintOf(files.authority) };
}

async function openStore(t: TestContext, { spec }: CredentialDirectory) {
  const store = await openCredentialsStore({ spec, refreshIntervalMs: 3_600_000, watch: false, logger: silentLogger });
  t.after(() => store.close());
  return store;
}

function fingerprintOf({ certPem }: Authority): string {
  return new X509Certificate(certPem).fingerprint256.replaceAll(':', '').toLowerCase();
}

function start(t: TestContext, role: Role, changes: Partial<NodeFacts> = {}): Promise<grpc.Client> {
  const members = new grpc.Client('127.0.0.1:1', grpc.credentials.createInsecure());
  t.after(() => members.close());
  const facts = nodeFacts({ ...FACTS, askMember: () => members, ...changes });
  return callAs(t, role, server => {
    server.addService(nodeControl.definition, createNodeControl(facts));
    server.addService(clusterControl.definition, createClusterControl(facts));
  });
}
