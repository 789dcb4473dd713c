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
      removed: [],
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
    ListNodes: { nodes: [samplePeer({ addresses: [], labels: {} })], addressesRedacted: true, removed: [] },
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

test('nodes list shows zone, weight and who drains, and of an older version neither', async t => {
  const node = await startFakeNode(t, {
    ListNodes: {
      nodes: [
        samplePeer({ nodeName: 'node-2', weight: 0 }),
        samplePeer({ nodeName: 'node-3', membershipState: 'draining', zone: '', weight: 65_535 }),
        samplePeer({ nodeName: 'node-4', membershipState: 'draining', state: 'draining' }),
        samplePeer({ nodeName: 'node-5', membershipState: '', zone: '', weight: 0 }),
      ],
      addressesRedacted: false,
      removed: [],
    },
  });
  const { stdout } = await runCtl(['nodes', 'list', '-s', node.address], { now: NOW });
  const [heading, ...rows] = stdout.split('\n').map(line => line.split(/ {3,}/));
  const [zone, weight] = [heading?.indexOf('ZONE') ?? -1, heading?.indexOf('WEIGHT') ?? -1];
  assert.deepEqual(
    rows.slice(0, 4).map(row => [row[1], row[zone], row[weight]]),
    [
      ['connected', 'eu-1a', '0'],
      ['connected (draining)', '-', '65535'],
      ['draining', 'eu-1a', '1'],
      ['connected', '-', '-'],
    ],
  );
});

test('nodes list filters by everything that is asked for at once, in the table and in JSON', async t => {
  const a = { role: 'worker', rack: '1' };
  const node = await startFakeNode(t, {
    ListNodes: {
      nodes: [
        samplePeer({ nodeName: 'node-1', labels: a }),
        samplePeer({ nodeName: 'node-2', labels: { role: 'worker' } }),
        samplePeer({ nodeName: 'node-3', labels: a, zone: 'eu-1b' }),
        samplePeer({ nodeName: 'node-4', labels: a, liveness: 'dead', state: 'unreachable' }),
        samplePeer({ nodeName: 'node-5', labels: a, mode: 'plain' }),
        samplePeer({ nodeName: 'node-6', labels: a, membershipState: 'draining' }),
        samplePeer({ nodeName: 'node-7', labels: a, state: 'draining' }),
      ],
      addressesRedacted: false,
      removed: [],
    },
  });
  const listed = async (...filters: string[]) => {
    const run = (format: string) => runCtl(['nodes', 'list', '-s', node.address, '-o', format, ...filters]);
    const [json, table] = await Promise.all([run('json'), run('table')]);
    const names = JSON.parse(json.stdout).map((each: { node_name: string }) => each.node_name);
    assert.deepEqual([...table.stdout.matchAll(/^node-\d/gm)].flat(), names);
    return names.map((name: string) => name.slice('node-'.length)).join('');
  };
  assert.equal(await listed(), '1234567');
  assert.equal(await listed('--label', 'role=worker', '--label', 'rack=1'), '134567');
  assert.equal(await listed('--zone', 'eu-1b'), '3');
  assert.equal(await listed('--zone', 'nowhere'), '');
  assert.equal(await listed('--state', 'unreachable'), '4');
  assert.equal(await listed('--state', 'draining'), '67');
  assert.equal(await listed('--liveness', 'alive', '--mode', 'strict', '--label', 'rack=1'), '1367');
});

test('nodes list sorts by a column, and equal ones by name', async t => {
  const node = await startFakeNode(t, {
    ListNodes: {
      nodes: [
        samplePeer({ nodeName: 'n10', zone: 'a', weight: 7, version: '0.9.0', sinceMs: 5 }),
        samplePeer({ nodeName: 'n9', zone: '', weight: 1, version: '0.9.0', sinceMs: 9 }),
        samplePeer({
          nodeName: 'n2',
          zone: 'b',
          weight: 1,
          version: '0.10.0',
          sinceMs: 5,
          state: 'refused',
          liveness: 'dead',
        }),
      ],
      addressesRedacted: false,
      removed: [],
    },
  });
  const sorted = async (column: string) => {
    const { stdout } = await runCtl(['nodes', 'list', '-s', node.address, '-o', 'json', '--sort', column]);
    return JSON.parse(stdout).map((each: { node_name: string }) => each.node_name);
  };
  assert.deepEqual(await sorted('name'), ['n2', 'n9', 'n10']);
  assert.deepEqual(await sorted('zone'), ['n10', 'n2', 'n9']);
  assert.deepEqual(await sorted('weight'), ['n10', 'n2', 'n9']);
  assert.deepEqual(await sorted('state'), ['n9', 'n10', 'n2']);
  assert.deepEqual(await sorted('liveness'), ['n9', 'n10', 'n2']);
  assert.deepEqual(await sorted('version'), ['n9', 'n10', 'n2']);
  assert.deepEqual(await sorted('since'), ['n9', 'n2', 'n10']);
});

test('a filter or column that nodes list does not know exits 2 and asks nobody', async t => {
  const node = await startFakeNode(t, {});
  const mistakes: readonly (readonly [string, string, RegExp])[] = [
    ['--state', 'conected', /connected, connecting/],
    ['--liveness', 'gone', /alive, suspect/],
    ['--mode', 'stict', /plain, optional, strict/],
    ['--sort', 'age', /name, zone, weight/],
    ['--label', 'role', /role=worker/],
    ['--label', '=worker', /role=worker/],
  ];
  for (const [option, word, message] of mistakes) {
    const { stderr, exitCode } = await runCtl(['nodes', 'list', '-s', node.address, option, word]);
    assert.equal(exitCode, 2, `${option} ${word}`);
    assert.match(stderr, message);
  }
  assert.deepEqual(node.calls, []);
});

test('nodes list names those who were removed, below the table', async t => {
  const list = { nodes: [samplePeer()], addressesRedacted: false, removed: ['node-7', 'node-9'] };
  const node = await startFakeNode(t, { ListNodes: list });
  const { stdout } = await runCtl(['nodes', 'list', '-s', node.address]);
  assert.match(stdout, /^NODE .*\nnode-2 .*\n\nRemoved, and refused until added again: node-7, node-9\.\n$/);
  const json = await runCtl(['nodes', 'list', '-o', 'json', '-s', node.address]);
  assert.deepEqual([JSON.parse(json.stdout).length, json.stderr], [1, '']);
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
