import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PeerLine, type PeerLineParts } from './peer-table.ts';

const PARTS: PeerLineParts = {
  standing: { state: 'connecting', reason: undefined, detail: undefined, since: new Date() },
  liveness: { state: 'unknown', reason: 'never_heard', generation: undefined, since: new Date() },
  member: { labels: { zone: 'a' }, addresses: [] },
  stream: undefined,
  known: undefined,
  said: undefined,
};

test('a line of the table is made anew when one of its parts is another, and only then', () => {
  const line = new PeerLine('node-2');
  const parts = PARTS;
  const first = line.of(parts);
  assert.equal(line.of({ ...parts }), first);
  const others: readonly Partial<PeerLineParts>[] = [
    { standing: { ...parts.standing, state: 'connected' } },
    { liveness: { ...parts.liveness, state: 'alive' } },
    { member: { labels: { zone: 'b' }, addresses: [] } },
    { stream: { security: { kind: 'mutual_tls' } as never, direction: 'inbound', identity: undefined } },
    { known: { generation: 7 } as never },
    { said: { labels: { zone: 'c' }, zone: undefined, weight: 1 } },
  ];
  const lines = others.map(other => line.of({ ...parts, ...other }));
  assert.deepEqual(
    [lines[0]?.state, lines[1]?.liveness.state, lines[2]?.labels, lines[3]?.direction, lines[4]?.generation],
    ['connected', 'alive', { zone: 'b' }, 'inbound', 7],
  );
  assert.deepEqual(lines[5]?.labels, { zone: 'a' });
  assert.deepEqual(line.of(parts), first);
});

test('labels are those that the peer says of itself, under those of the membership source', () => {
  const labels = (parts: Partial<PeerLineParts>) => new PeerLine('node-2').of({ ...PARTS, ...parts }).labels;
  const said = { labels: { role: 'vault', tier: 'spare' }, zone: undefined, weight: 1 };
  const member = { labels: { role: 'worker' }, addresses: [] };
  assert.deepEqual(labels({ said, member }), { role: 'worker', tier: 'spare' });
  assert.deepEqual(labels({ said, member: undefined }), { role: 'vault', tier: 'spare' });
  assert.deepEqual(labels({ member }), { role: 'worker' });
});

test('what a member said to the membership source counts until it says more to us', () => {
  const member = { labels: { rack: '7' }, addresses: [], said: { labels: { role: 'old', rack: '1' }, zone: 'a' } };
  const facts = (parts: Partial<PeerLineParts>) => {
    const { labels, zone, weight } = new PeerLine('node-2').of({ ...PARTS, member, ...parts });
    return [labels, zone, weight];
  };
  assert.deepEqual(facts({}), [{ role: 'old', rack: '7' }, 'a', 1]);
  assert.deepEqual(facts({ said: { labels: { tier: 'x' }, zone: undefined, weight: 3 } }), [
    { tier: 'x', rack: '7' },
    undefined,
    3,
  ]);
});

test('zone and weight are those of the membership source, or else what the peer says of itself, or else none and 1', () => {
  const said = { labels: {}, zone: 'b', weight: 65_535 };
  const member = { labels: {}, addresses: [] };
  const facts = (parts: Partial<PeerLineParts>) => {
    const { membership, zone, weight } = new PeerLine('node-2').of({ ...PARTS, ...parts });
    return [membership, zone, weight];
  };
  assert.deepEqual(facts({ said, member: { ...member, zone: 'a', weight: 0 } }), ['active', 'a', 0]);
  assert.deepEqual(facts({ said, member: { ...member, isDraining: true } }), ['draining', 'b', 65_535]);
  assert.deepEqual(facts({ said, member: undefined }), ['unlisted', 'b', 65_535]);
  assert.deepEqual(facts({}), ['active', undefined, 1]);
});
