import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as grpc from '@grpc/grpc-js';
import { peerEntry } from '../../test/kit/node-facts.ts';
import type { LivenessState } from '../messaging/member-liveness.ts';
import type { PeerEntry, PeerState } from '../messaging/peer-table.ts';
import { candidateOf, type MemberSelector, selectorChannel } from './member-clients.ts';

type Kind = readonly [name: string, state: PeerState, liveness: LivenessState, more?: Partial<PeerEntry>];

function entry([name, state, liveness, more]: Kind): PeerEntry {
  const { liveness: base } = peerEntry();
  return peerEntry({ name, state, liveness: { ...base, state: liveness }, labels: { role: 'worker' }, ...more });
}

/** Who gets the first calls of a client of these members, in turn. */
function turns(kinds: readonly Kind[], selector: Partial<MemberSelector> = {}, count = 10): readonly string[] {
  const taken: string[] = [];
  const channelTo = (name: string): grpc.ChannelInterface =>
    Object.assign(Object.create(null), { createCall: () => taken.push(name) });
  const channel = selectorChannel(channelTo, () => kinds.map(kind => candidateOf(entry(kind))), {
    labels: { role: 'worker' },
    ...selector,
  });
  for (let call = 0; call < count; call += 1) channel.createCall('/x/Y', Number.POSITIVE_INFINITY, null, null, null);
  return taken;
}

/** Who gets the calls of a client of these members. */
function chosen(...kinds: readonly Kind[]): readonly string[] {
  return [...new Set(turns(kinds))].toSorted();
}

test('calls go to members that are ready and not suspect, where there are any', () => {
  assert.deepEqual(
    chosen(
      ['a', 'connected', 'suspect'],
      ['b', 'connected', 'alive'],
      ['c', 'connecting', 'alive'],
      ['d', 'connected', 'alive'],
      ['e', 'draining', 'draining'],
    ),
    ['b', 'd'],
  );
});

test('one to which nobody needed a stream is as good as one that is connected', () => {
  assert.deepEqual(chosen(['a', 'idle', 'unknown'], ['b', 'connected', 'alive'], ['c', 'connected', 'suspect']), [
    'a',
    'b',
  ]);
});

test('else to those that are ready though suspect, else to any', () => {
  assert.deepEqual(chosen(['a', 'connected', 'suspect'], ['b', 'connecting', 'alive']), ['a']);
  assert.deepEqual(chosen(['a', 'unreachable', 'dead'], ['b', 'connecting', 'suspect']), ['a', 'b']);
});

test('who drains by the word of the membership source gets a call only where nobody else is ready', () => {
  const draining = { membership: 'draining' } as const;
  const drains: Kind = ['a', 'connected', 'alive', draining];
  assert.deepEqual(chosen(drains, ['b', 'connected', 'alive']), ['b']);
  assert.deepEqual(chosen(drains, ['b', 'connected', 'suspect']), ['b']);
  assert.deepEqual(chosen(drains, ['b', 'connecting', 'unknown']), ['a']);
  assert.deepEqual(chosen(['a', 'connecting', 'unknown', draining], ['b', 'unreachable', 'dead']), ['b']);
  assert.deepEqual(chosen(['a', 'unreachable', 'dead', draining]), ['a']);
});

test('calls are shared by weight; weight 0 is for when nobody else has more', () => {
  const members: readonly Kind[] = [
    ['a', 'connected', 'alive', { weight: 1 }],
    ['b', 'connected', 'alive', { weight: 3 }],
    ['c', 'connected', 'alive', { weight: 0 }],
  ];
  assert.deepEqual(turns(members, {}, 8).toSorted(), ['a', 'a', 'b', 'b', 'b', 'b', 'b', 'b']);
  assert.deepEqual(chosen(['a', 'connected', 'suspect'], ['c', 'connected', 'alive', { weight: 0 }]), ['c']);
});

test('the members of a preferred zone get the calls while one of them is ready and not suspect', () => {
  const near = { zone: 'eu-1a' };
  const far = { zone: 'eu-1b' };
  const others: readonly Kind[] = [
    ['c', 'connected', 'alive', far],
    ['d', 'connected', 'alive'],
  ];
  const inZone = (...kinds: readonly Kind[]) =>
    [...new Set(turns([...kinds, ...others], { preferZone: 'eu-1a' }))].toSorted();
  assert.deepEqual(inZone(['a', 'connected', 'alive', near], ['b', 'connected', 'suspect', near]), ['a']);
  assert.deepEqual(inZone(['b', 'connected', 'suspect', near]), ['c', 'd']);
  assert.deepEqual(inZone(['b', 'unreachable', 'dead', near]), ['c', 'd']);
  assert.deepEqual(inZone(['b', 'connected', 'alive', { ...near, membership: 'draining' }]), ['c', 'd']);
  assert.deepEqual(inZone(['b', 'connected', 'alive', { ...near, weight: 0 }]), ['c', 'd']);
  assert.deepEqual(inZone(), ['c', 'd']);
});

test('where all are suspect, or all drain, the zone is nothing to prefer', () => {
  for (const more of [
    ['suspect', {}],
    ['alive', { membership: 'draining' }],
  ] as const) {
    const [liveness, entry] = more;
    const members: readonly Kind[] = [
      ['a', 'connected', liveness, { ...entry, zone: 'eu-1a' }],
      ['b', 'connected', liveness, { ...entry, zone: 'eu-1b' }],
    ];
    assert.deepEqual(turns(members, { preferZone: 'eu-1a' }, 4), ['a', 'b', 'a', 'b']);
  }
});

test('no zone is preferred where none is given', () => {
  assert.deepEqual(chosen(['a', 'connected', 'alive'], ['b', 'connected', 'alive', { zone: 'eu-1a' }]), ['a', 'b']);
});

test('no labels at all is every member', () => {
  assert.deepEqual(turns([['a', 'connected', 'alive', { labels: {} }]], { labels: {} }, 1), ['a']);
});
