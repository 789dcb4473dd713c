import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PeerLine, type PeerLineParts } from './peer-table.ts';

test('a line of the table is made anew when one of its parts is another, and only then', () => {
  const line = new PeerLine('node-2');
  const parts: PeerLineParts = {
    standing: { state: 'connecting', reason: undefined, detail: undefined, since: new Date() },
    liveness: { state: 'unknown', reason: 'never_heard', generation: undefined, since: new Date() },
    member: { labels: { zone: 'a' }, addresses: [] },
    stream: undefined,
    known: undefined,
    labels: undefined,
  };
  const first = line.of(parts);
  assert.equal(line.of({ ...parts }), first);
  const others: readonly Partial<PeerLineParts>[] = [
    { standing: { ...parts.standing, state: 'connected' } },
    { liveness: { ...parts.liveness, state: 'alive' } },
    { member: { labels: { zone: 'b' }, addresses: [] } },
    { stream: { security: { kind: 'mutual_tls' } as never, direction: 'inbound', identity: undefined } },
    { known: { generation: 7 } as never },
    { labels: { zone: 'c' } },
  ];
  const lines = others.map(other => line.of({ ...parts, ...other }));
  assert.deepEqual(
    [lines[0]?.state, lines[1]?.liveness.state, lines[2]?.labels, lines[3]?.direction, lines[4]?.generation],
    ['connected', 'alive', { zone: 'b' }, 'inbound', 7],
  );
  assert.deepEqual(lines[5]?.labels, { zone: 'c' });
  assert.deepEqual(line.of(parts), first);
});
