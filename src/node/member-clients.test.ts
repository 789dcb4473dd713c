import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as grpc from '@grpc/grpc-js';
import { peerEntry } from '../../test/kit/node-facts.ts';
import type { LivenessState } from '../messaging/member-liveness.ts';
import type { PeerEntry, PeerState } from '../messaging/peer-table.ts';
import { candidateOf, selectorChannel } from './member-clients.ts';

type Kind = readonly [name: string, state: PeerState, liveness: LivenessState];

function entry([name, state, liveness]: Kind): PeerEntry {
  const { liveness: base } = peerEntry();
  return peerEntry({ name, state, liveness: { ...base, state: liveness }, labels: { role: 'worker' } });
}

/** Who gets the calls of a client of these members. */
function chosen(...kinds: readonly Kind[]): readonly string[] {
  const taken = new Set<string>();
  const channelTo = (name: string): grpc.ChannelInterface =>
    Object.assign(Object.create(null), { createCall: () => taken.add(name) });
  const channel = selectorChannel(channelTo, () => kinds.map(kind => candidateOf(entry(kind))), {
    labels: { role: 'worker' },
  });
  for (let call = 0; call < 10; call += 1) channel.createCall('/x/Y', Number.POSITIVE_INFINITY, null, null, null);
  return [...taken].toSorted();
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
