import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerEntry } from '../../test/kit/node-facts.ts';
import { MutableValue } from '../lifecycle/observable-value.ts';
import type { Liveness } from '../messaging/peer-liveness.ts';
import type { PeerEntry } from '../messaging/peer-table.ts';
import { createLogger, type Logger } from '../telemetry/logger.ts';
import { type MemberChange, membersOf } from './members.ts';

const since = new Date(5_000);
const UNKNOWN: Liveness = { state: 'unknown', reason: 'never_heard', generation: undefined, since };
const ALIVE: Liveness = { state: 'alive', reason: 'connected', generation: 1, since };

const silent = createLogger({ level: 'silent' });

function table(...entries: readonly Partial<PeerEntry>[]): readonly PeerEntry[] {
  return entries.map(entry => peerEntry(entry));
}

test('the members are a view of the table of peers as it is now', () => {
  const peers = new MutableValue(table({ name: 'node-2' }));
  const members = membersOf(peers, silent);
  assert.equal(members.all[0]?.liveness.state, 'unknown');
  peers.set(table({ name: 'node-2', state: 'connected', liveness: ALIVE, labels: { a: 'b' }, version: '1' }));
  assert.deepEqual(members.get('node-2'), {
    name: 'node-2',
    liveness: ALIVE,
    stream: 'connected',
    labels: { a: 'b' },
    membership: 'active',
    zone: undefined,
    weight: 1,
    version: '1',
  });
  assert.deepEqual(members.all, [members.get('node-2')]);
  assert.equal(members.get('node-3'), undefined);
});

test('changes are told one by one: another state, another generation, a member that came or went', () => {
  const peers = new MutableValue(table({ name: 'node-2', liveness: UNKNOWN }));
  const members = membersOf(peers, silent);
  const changes: MemberChange[] = [];
  const stop = members.subscribe(change => {
    assert.equal(members.get(change.node)?.liveness, change.to, 'the table shows it already');
    changes.push(change);
  });
  const steps: readonly Liveness[] = [
    { ...UNKNOWN, reason: 'unreachable' },
    ALIVE,
    ALIVE,
    { ...ALIVE, generation: 2, reason: 'restarted' },
    { ...ALIVE, generation: 2, reason: 'recovered', state: 'suspect' },
  ];
  for (const liveness of steps) peers.set(table({ name: 'node-2', liveness }));
  assert.deepEqual(
    changes.map(({ from, to }) => [from?.state, from?.generation, to?.state, to?.generation]),
    [
      ['unknown', undefined, 'alive', 1],
      ['alive', 1, 'alive', 2],
      ['alive', 2, 'suspect', 2],
    ],
  );
  changes.length = 0;
  peers.set(table({ name: 'node-3', liveness: ALIVE }));
  assert.deepEqual(
    changes.map(({ node, from, to }) => [node, from?.state, to?.state]),
    [
      ['node-3', undefined, 'alive'],
      ['node-2', 'suspect', undefined],
    ],
  );
  stop();
  peers.set([]);
  assert.equal(changes.length, 2);
});

test('who unsubscribes in the middle of several changes hears of no more of them', () => {
  const peers = new MutableValue(table());
  const heard: string[] = [];
  const stop = membersOf(peers, silent).subscribe(({ node }) => {
    heard.push(node);
    stop();
  });
  peers.set(table({ name: 'node-2' }, { name: 'node-3' }));
  assert.deepEqual(heard, ['node-2']);
});

test('what a listener brings about is told after what came before it, to each listener', () => {
  const peers = new MutableValue(table({ name: 'node-2' }, { name: 'node-3' }));
  const members = membersOf(peers, silent);
  const heard: string[][] = [[], []];
  for (const list of heard)
    members.subscribe(({ node, to }) => {
      list.push(`${node} ${to?.state}`);
      // As closing the node would, in the midst of it.
      if (node === 'node-2') peers.set([]);
    });
  peers.set(table({ name: 'node-2', liveness: ALIVE }, { name: 'node-3', liveness: ALIVE }));
  const expected = ['node-2 alive', 'node-3 alive', 'node-2 undefined', 'node-3 undefined'];
  assert.deepEqual(heard, [expected, expected]);
});

test('a listener that throws keeps neither others nor the node from what they do, and is logged', () => {
  const logged: unknown[] = [];
  const logger: Logger = Object.assign(Object.create(silent), {
    error: (event: string, fields: object) => void logged.push({ event, ...fields }),
  });
  const peers = new MutableValue(table());
  const members = membersOf(peers, logger);
  const heard: string[] = [];
  members.subscribe(() => {
    throw new Error('not mine');
  });
  members.subscribe(({ node }) => void heard.push(node));
  peers.set(table({ name: 'node-2' }));
  assert.deepEqual(heard, ['node-2']);
  assert.deepEqual(logged, [{ event: 'members.listener_failed', node: 'node-2', problem: 'not mine' }]);
});
