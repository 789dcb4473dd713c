import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerEntry } from '../../test/kit/node-facts.ts';
import type { PeerEntry } from '../messaging/peer-table.ts';
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
  ] as const) {
    const [first = ''] = obstaclesTo(to, facts({ from }));
    assert.match(first, new RegExp(`From ${from} the way to ${to} leads through optional`));
  }
});

test('without credentials there is no way to TLS, and one to plain', () => {
  for (const to of ['optional', 'strict'] as const) {
    assert.match(obstaclesTo(to, facts({ from: 'plain', hasCredentials: false }))[0] ?? '', /no credentials/);
  }
  assert.deepEqual(obstaclesTo('plain', facts({ hasCredentials: false })), []);
});

test('a member that is not connected stands in the way of both ends, with the reason', () => {
  const peers = [peer({ state: 'refused', reason: 'unknown_ca' }), peer({ name: 'node-3', state: 'unreachable' })];
  for (const to of ['strict', 'plain'] as const) {
    const obstacles = obstaclesTo(to, facts({ peers }));
    assert.equal(obstacles.length, 2);
    assert.match(obstacles[0] ?? '', /^node-2 is not connected \(unknown_ca\)/);
    assert.match(obstacles[1] ?? '', /^node-3 is not connected \(unreachable\)/);
  }
});

test('members that would be cut off by strict are named: those in plain, those without mutual TLS', () => {
  const tls: PeerEntry['security'] = { kind: 'tls', protocol: 'TLSv1.3', cipher: 'x' };
  const peers = [
    peer({ mode: 'plain' }),
    peer({ name: 'node-3', security: PLAINTEXT }),
    peer({ name: 'node-4', security: tls }),
  ];
  const obstacles = obstaclesTo('strict', facts({ peers }));
  assert.match(obstacles[0] ?? '', /^node-2 is in mode plain/);
  assert.match(obstacles[1] ?? '', /^node-3 is connected without mutual TLS/);
  assert.match(obstacles[2] ?? '', /^node-4 is connected without mutual TLS/);
});

test('a member in strict would refuse a node that goes plain', () => {
  assert.match(
    obstaclesTo('plain', facts({ peers: [peer({ mode: 'strict' })] }))[0] ?? '',
    /^node-2 is in mode strict/,
  );
});

test('open plaintext connections stand in the way of strict alone, with their number', () => {
  assert.match(obstaclesTo('strict', facts({ plaintextInbound: 2 }))[0] ?? '', /^2 plaintext/);
  assert.deepEqual(obstaclesTo('plain', facts({ plaintextInbound: 2 })), []);
});

test('obstacles hold no address, also where the peer table does', () => {
  const peers = [peer({ state: 'unreachable', detail: 'connect ECONNREFUSED 10.0.0.2:5122' })];
  assert.doesNotMatch(obstaclesTo('strict', facts({ peers })).join(), /10\.0\.0\.2/);
});

function facts(changes: Partial<PreflightFacts> = {}): PreflightFacts {
  return { from: 'optional', hasCredentials: true, peers: [peer()], plaintextInbound: 0, ...changes };
}

function peer(changes: Partial<PeerEntry> = {}): PeerEntry {
  return peerEntry({ state: 'connected', security: MUTUAL, mode: 'optional', ...changes });
}
