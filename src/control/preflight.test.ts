import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerEntry } from '../../test/kit/node-facts.ts';
import type { PeerEntry } from '../messaging/peer-table.ts';
import { MODE_OBSTACLES, obstacleInWords } from '../rpc/mode-obstacles.ts';
import { obstaclesTo, type PreflightFacts } from './preflight.ts';

const MUTUAL: PeerEntry['security'] = { kind: 'mutual_tls', protocol: 'TLSv1.3', cipher: 'x' };
const PLAINTEXT: PeerEntry['security'] = { kind: 'none', reason: 'plaintext_peer' };

test('optional to strict is free when every member is connected by mutual TLS and nobody is in plaintext', () => {
  assert.deepEqual(obstaclesTo('strict', facts()), []);
  assert.deepEqual(obstaclesTo('strict', facts({ peers: [] })), [], 'a node alone');
});

test('optional to plain is free when every member is connected and none is strict', () => {
  assert.deepEqual(obstaclesTo('plain', facts({ peers: [peer(), peer({ security: PLAINTEXT })] })), []);
});

for (const from of ['plain', 'strict'] as const) {
  test(`${from} to optional is free, whatever the members do`, () => {
    const peers = [peer({ state: 'unreachable' }), peer({ mode: 'plain', security: PLAINTEXT })];
    assert.deepEqual(obstaclesTo('optional', facts({ from, peers, plaintextInbound: 3 })), []);
  });
}

for (const mode of ['plain', 'optional', 'strict'] as const) {
  test(`staying in ${mode} is free`, () => {
    const peers = [peer({ state: 'unreachable' })];
    assert.deepEqual(obstaclesTo(mode, facts({ from: mode, peers, plaintextInbound: 3 })), []);
  });
}

test('from end to end the way leads through optional', () => {
  for (const [from, to] of [
    ['plain', 'strict'],
    ['strict', 'plain'],
  ] as const)
    assert.equal(told(obstaclesTo(to, facts({ from })))[0], 'not_the_next_mode');
});

test('without credentials there is no way to TLS, and one to plain', () => {
  for (const to of ['optional', 'strict'] as const)
    assert.equal(told(obstaclesTo(to, facts({ from: 'plain', hasCredentials: false })))[0], 'no_credentials');
  assert.deepEqual(obstaclesTo('plain', facts({ hasCredentials: false })), []);
});

test('a member that is not connected stands in the way of both ends, with the reason', () => {
  const peers = [peer({ state: 'refused', reason: 'unknown_ca' }), peer({ name: 'node-3', state: 'unreachable' })];
  for (const to of ['strict', 'plain'] as const)
    assert.deepEqual(told(obstaclesTo(to, facts({ peers }))), [
      'member_not_connected node-2 unknown_ca',
      'member_not_connected node-3 unreachable',
    ]);
});

test('an idle member stands in the way while the mode is optional, where everybody is watched, and in no other', () => {
  const peers = [peer({ state: 'idle' })];
  for (const to of ['strict', 'plain'] as const)
    assert.deepEqual(told(obstaclesTo(to, facts({ peers }))), ['member_not_connected node-2 idle']);
  assert.deepEqual(told(obstaclesTo('strict', facts({ from: 'plain', peers }))), ['not_the_next_mode']);
});

test('members that would be cut off by strict are named: those in plain, those without mutual TLS', () => {
  const tls: PeerEntry['security'] = { kind: 'tls', protocol: 'TLSv1.3', cipher: 'x' };
  const peers = [
    peer({ mode: 'plain' }),
    peer({ name: 'node-3', security: PLAINTEXT }),
    peer({ name: 'node-4', security: tls }),
  ];
  assert.deepEqual(told(obstaclesTo('strict', facts({ peers }))), [
    'member_in_plain node-2',
    'member_without_mutual_tls node-3',
    'member_without_mutual_tls node-4',
  ]);
});

test('a member in strict would refuse a node that goes plain', () => {
  assert.deepEqual(told(obstaclesTo('plain', facts({ peers: [peer({ mode: 'strict' })] }))), [
    'member_in_strict node-2',
  ]);
});

test('open plaintext connections stand in the way of strict alone, with their number', () => {
  assert.deepEqual(told(obstaclesTo('strict', facts({ plaintextInbound: 2 }))), ['plaintext_connections 2']);
  assert.deepEqual(obstaclesTo('plain', facts({ plaintextInbound: 2 })), []);
});

test('obstacles hold no address, also where the peer table does', () => {
  const peers = [peer({ state: 'unreachable', detail: 'connect ECONNREFUSED 10.0.0.2:5122' })];
  assert.doesNotMatch(JSON.stringify(obstaclesTo('strict', facts({ peers }))), /10\.0\.0\.2/);
});

test('every obstacle is a sentence, with the name and without; one of a newer version is told as it stands', () => {
  for (const code of MODE_OBSTACLES) {
    const full = obstacleInWords({ code, nodeName: 'node-2', detail: '7' });
    const redacted = obstacleInWords({ code, nodeName: '', detail: '' });
    for (const sentence of [full, redacted]) assert.match(sentence, /^\S.*\.$/);
    assert.doesNotMatch(redacted, /undefined|node-2|7/);
  }
  assert.equal(
    obstacleInWords({ code: 'member_in_plain', nodeName: 'node-2', detail: '' }),
    'node-2 is in mode plain and could not reach this node.',
  );
  assert.equal(obstacleInWords({ code: 'of_later', nodeName: 'node-2', detail: 'why' }), 'of_later node-2 why');
});

function told(obstacles: ReturnType<typeof obstaclesTo>): readonly string[] {
  return obstacles.map(({ code, nodeName, detail }) => [code, nodeName, detail].filter(Boolean).join(' '));
}

function facts(changes: Partial<PreflightFacts> = {}): PreflightFacts {
  return { from: 'optional', hasCredentials: true, peers: [peer()], plaintextInbound: 0, ...changes };
}

function peer(changes: Partial<PeerEntry> = {}): PeerEntry {
  return peerEntry({ state: 'connected', security: MUTUAL, mode: 'optional', ...changes });
}
