import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFakeNode } from './fake-node.ts';
import { runCtl } from './programs.ts';
import { NOW, REDACTED, sampleConnection, samplePeer } from './samples.ts';

test('nodes list shows how each member is connected, and why one is not', async t => {
  const node = await startFakeNode(t, {
    ListNodes: {
      nodes: [
        samplePeer({ nodeName: 'node-1', state: 'self', security: '', livenessReason: '' }),
        samplePeer({ security: 'none', securityReason: 'peer_without_tls' }),
        samplePeer({ nodeName: 'node-3', state: 'refused', security: '', reason: 'unknown_ca', detail: 'no anchor' }),
        samplePeer({ nodeName: 'node-4', liveness: 'suspect', livenessReason: 'silence' }),
        samplePeer({ nodeName: 'node-5', liveness: '', livenessReason: '' }),
      ],
      addressesRedacted: false,
    },
  });
  const { stdout, exitCode } = await runCtl(['nodes', 'list', '-s', node.address], { now: NOW });
  assert.equal(exitCode, 0);
  const [, self, plaintext, refused, silent, old] = stdout.split('\n').map(line => line.split(/ {3,}/));
  assert.deepEqual(self?.slice(0, 4), ['node-1', 'self', 'alive', '-']);
  assert.equal(plaintext?.[3], 'none (peer_without_tls)');
  assert.equal(refused?.at(-1), 'unknown_ca: no anchor');
  assert.deepEqual([silent?.[1], silent?.[2], silent?.at(-1)], ['connected', 'suspect (4m ago)', 'silence']);
  assert.deepEqual([old?.[2], old?.at(-1)], ['-', '-'], 'a node of an older version does not say');
});

test('nodes list -o json is an array that says whether addresses were kept back', async t => {
  const node = await startFakeNode(t, {
    ListNodes: { nodes: [samplePeer({ addresses: [], labels: {} })], addressesRedacted: true },
  });
  const { stdout, stderr } = await runCtl(['nodes', 'list', '-s', node.address, '-o', 'json']);
  assert.match(stderr, REDACTED);
  const [first] = JSON.parse(stdout);
  assert.equal(first.addresses_redacted, true);
  assert.equal(first.since_ms, samplePeer().sinceMs);
  assert.deepEqual(
    [first.liveness, first.liveness_reason, first.liveness_since_ms],
    ['alive', 'connected', samplePeer().livenessSinceMs],
  );
});

test('connections shows who is at the other end and for how long its certificate is good', async t => {
  const node = await startFakeNode(t, {
    ListConnections: {
      connections: [
        sampleConnection(),
        sampleConnection({
          id: 4,
          security: 'none',
          securityReason: 'unix_socket',
          remoteAddress: 'unix',
          identity: '',
          roles: ['local'],
          certificateExpiresAtMs: 0,
        }),
      ],
      addressesRedacted: false,
    },
  });
  const { stdout } = await runCtl(['connections', '-s', node.address], { now: NOW });
  const [, first, second] = stdout.split('\n').map(line => line.split(/ {3,}/));
  assert.deepEqual(first, [
    '3',
    'inbound',
    '10.0.0.2:40000',
    'mutual_tls',
    'TLSv1.3',
    'spiffe://dev/fabric/node-2',
    'node-2',
    'peer,admin',
    '1',
    '2m ago',
    'expires in 3d',
  ]);
  assert.equal(second?.[3], 'none (unix_socket)');
  assert.equal(second?.at(-1), '-');
});

test('connections that are kept back are said to be, in the table and beside an empty array', async t => {
  const node = await startFakeNode(t, { ListConnections: { connections: [], addressesRedacted: true } });
  const { stdout } = await runCtl(['connections', '-s', node.address]);
  assert.match(stdout, REDACTED);
  const json = await runCtl(['connections', '-o', 'json', '-s', node.address]);
  assert.deepEqual([json.exitCode, JSON.parse(json.stdout)], [0, []]);
  assert.match(json.stderr, REDACTED);
});

test('a redacted connection of an older version that has no TLS has no identity to keep back', async t => {
  const kept = { remoteAddress: '', identity: '', subject: '', fingerprintSha256: '' };
  const node = await startFakeNode(t, {
    ListConnections: {
      connections: [sampleConnection(kept), sampleConnection({ ...kept, security: 'none' })],
      addressesRedacted: true,
    },
  });
  const { stdout } = await runCtl(['connections', '-s', node.address], { now: NOW });
  const [, first, second] = stdout.split('\n').map(line => line.split(/ {3,}/));
  assert.deepEqual([first?.[2], first?.[5]], ['(redacted)', '(redacted)']);
  assert.deepEqual([second?.[2], second?.[5]], ['(redacted)', '-']);
});
