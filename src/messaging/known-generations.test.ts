import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { KnownGenerations } from './known-generations.ts';

const NOW = 1_800_000_000_000;
const [OWN, STOLEN] = ['a', 'b'].map(digit => peerIdentity({ fingerprint256: digit.repeat(64) }));

test('the newest generation counts, whatever came last', () => {
  const known = new KnownGenerations();
  assert.equal(known.newest('node-a'), undefined);
  known.remember('node-a', 5, OWN, NOW);
  known.remember('node-a', 3, OWN, NOW);
  assert.equal(known.newest('node-a'), 5);
  assert.equal(known.newest('node-b'), undefined);
});

test('a generation of the future is not remembered, one of a clock that is a little ahead is', () => {
  const known = new KnownGenerations();
  known.remember('node-a', NOW + 360_000, OWN, NOW);
  assert.equal(known.newest('node-a'), undefined);
  known.remember('node-a', NOW + 120_000, OWN, NOW);
  assert.equal(known.newest('node-a'), NOW + 120_000);
});

test('what a certificate proved that is trusted no more is forgotten, unless another one proved it since', () => {
  const isStolen = (proof: PeerIdentity) => proof === STOLEN;
  const known = new KnownGenerations();
  known.remember('node-a', 3, OWN, NOW);
  known.remember('node-a', 9, STOLEN, NOW);
  known.remember('node-b', 9, STOLEN, NOW);
  known.remember('node-b', 9, OWN, NOW);
  known.remember('node-c', 9, OWN, NOW);
  known.remember('node-c', 3, STOLEN, NOW);
  known.forget(isStolen);
  assert.deepEqual(
    ['node-a', 'node-b', 'node-c'].map(name => known.newest(name)),
    [undefined, 9, 9],
  );
});

test('what a certificate proved of a name that it proves no more is forgotten, of other names not', () => {
  const known = new KnownGenerations();
  known.remember('node-a', 9, OWN, NOW);
  known.remember('node-b', 9, OWN, NOW);
  known.forget((proof, name) => proof === OWN && name === 'node-b');
  assert.deepEqual([known.newest('node-a'), known.newest('node-b')], [9, undefined]);
});

test('members are never forgotten, of the others the oldest are', () => {
  const known = new KnownGenerations();
  for (let i = 0; i < 1_500; i += 1) known.remember(`node-${i}`, 1, OWN, NOW);
  known.trim(name => name === 'node-0');
  assert.equal(known.newest('node-0'), 1);
  assert.equal(known.newest('node-1'), undefined);
  assert.equal(known.newest('node-499'), undefined);
  assert.equal(known.newest('node-500'), 1);
});
