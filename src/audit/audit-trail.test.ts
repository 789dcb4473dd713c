import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerWith } from '../../test/kit/call-as.ts';
import { ManualClock } from '../../test/kit/manual-clock.ts';
import type { Decision } from '../rpc/decision.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import type { AuditRecord } from './audit-record.ts';
import { AuditTrail } from './audit-trail.ts';

const ALLOWED: Decision = { allowed: true, policy: 'built-in', rule: 'r' };
const DENIED: Decision = { ...ALLOWED, allowed: false };
const DRAIN = '/selvedge.control.v1.NodeControl/Drain';
const BUY = '/acme.Shop/Buy';
const START_MS = Date.parse('2026-11-26T00:00:00Z');

test('allowed calls leave a record where they change something, and others where the policy asks', () => {
  const { trail, records, ask } = setUp();
  const caller = callerWith('admin');
  trail.decided(caller, BUY, ALLOWED);
  trail.decided(caller, DRAIN, ALLOWED);
  ask.allowed = true;
  trail.decided(caller, BUY, ALLOWED);
  assert.deepEqual(methodsOf(records), [`${DRAIN} true`, `${BUY} true`]);
});

test('every denial leaves a record, whatever the method', () => {
  const { trail, records } = setUp();
  for (const path of [DRAIN, BUY]) trail.decided(callerWith('observer'), path, DENIED);
  trail.refused({ direction: 'inbound', remoteAddress: '127.0.0.1:1', reason: 'no_certificate', detail: '' });
  assert.deepEqual(methodsOf(records), [`${DRAIN} false`, `${BUY} false`, ' false']);
});

test('a flood is cut to the limit, its number is told a second later, and nobody else pays for it', async () => {
  const { trail, records, clock, metrics } = setUp({ perSecond: 100, perSecondPerSource: 10 });
  for (let call = 0; call < 5_000; call += 1)
    trail.decided({ ...callerWith('peer'), remoteAddress: `10.0.0.1:${call}` }, DRAIN, DENIED);
  assert.equal(records.length, 10, 'the port makes no other source');
  trail.decided({ ...callerWith('peer'), remoteAddress: '10.0.0.2:1' }, DRAIN, DENIED);
  trail.decided({ ...callerWith('admin'), remoteAddress: '10.0.0.1:9' }, DRAIN, ALLOWED);
  assert.equal(records.length, 12);
  clock.advanceTo(START_MS + 1_000);
  assert.deepEqual(records.at(-1), {
    timestamp: '2026-11-26T00:00:01.000Z',
    kind: 'gap',
    since: '2026-11-26T00:00:00.000Z',
    dropped: 4_990,
    logged: 0,
    node: 'node-1',
    node_generation: 7,
  });
  clock.advanceTo(START_MS + 60_000);
  assert.equal(records.length, 13, 'told once');
  assert.equal(clock.timers, 0);
  const exposed = await metrics.expose();
  assert.match(exposed, /^selvedge_audit_dropped_total 4990$/m);
  assert.match(exposed, /^selvedge_audit_records_total\{kind="call",decision="deny"\} 11$/m);
  assert.match(exposed, /^selvedge_audit_records_total\{kind="call",decision="allow"\} 1$/m);
});

test('what finds no room in the sink is dropped and told as soon as there is room, but never a changing call', () => {
  const { trail, records, clock, room } = setUp();
  room.left = 1;
  for (let call = 0; call < 3; call += 1) trail.decided(callerWith('peer'), BUY, DENIED);
  trail.decided(callerWith('admin'), DRAIN, ALLOWED);
  assert.deepEqual(methodsOf(records), [`${BUY} false`, `${DRAIN} true`]);
  clock.advanceTo(START_MS + 5_000);
  assert.equal(records.length, 2, 'there still is none');
  room.left = 10;
  clock.advanceTo(START_MS + 6_000);
  assert.equal(droppedIn(records), 2);
});

test('a change of members leaves a record whatever room there is, and counts as what was allowed', async () => {
  const { trail, records, room, metrics } = setUp();
  room.left = 0;
  trail.edited(callerWith('admin'), DRAIN, { change: 'remove', member: 'node-7' }, '');
  assert.deepEqual(
    records.map(record => record.kind === 'membership' && [record.change, record.member]),
    [['remove', 'node-7']],
  );
  const exposed = await metrics.expose();
  assert.match(exposed, /^selvedge_audit_records_total\{kind="membership",decision="allow"\} 1$/m);
});

test('what is not told yet is told at the end', async () => {
  const { trail, records, clock, room } = setUp();
  room.left = 0;
  trail.decided(callerWith('peer'), BUY, DENIED);
  await trail.close();
  assert.equal(droppedIn(records), 1);
  assert.equal(clock.timers, 0);
});

function setUp(limits = { perSecond: 100, perSecondPerSource: 100 }): {
  trail: AuditTrail;
  records: AuditRecord[];
  clock: ManualClock;
  metrics: ReturnType<typeof createMetrics>;
  /** Records that the sink has room for. */
  room: { left: number };
  ask: { allowed: boolean };
} {
  const records: AuditRecord[] = [];
  const clock = new ManualClock(START_MS);
  const metrics = createMetrics();
  const room = { left: Number.POSITIVE_INFINITY };
  const ask = { allowed: false };
  const trail = new AuditTrail({
    sink: {
      write: (record, kept) => {
        if (room.left === 0 && !kept) return false;
        room.left = Math.max(room.left - 1, 0);
        records.push(record);
        return true;
      },
      reopen: () => {},
      close: async () => {},
    },
    limits,
    origin: () => ({ nodeName: 'node-1', nodeGeneration: 7, trustGeneration: 3 }),
    isChanging: path => path === DRAIN,
    auditsAllowed: () => ask.allowed,
    metrics,
    clock,
  });
  return { trail, records, clock, metrics, room, ask };
}

function methodsOf(records: readonly AuditRecord[]): readonly string[] {
  return records.flatMap(record => (record.kind === 'gap' ? [] : [`${record.rpc_method} ${record.authorized}`]));
}

function droppedIn(records: readonly AuditRecord[]): number {
  return records.reduce((sum, record) => sum + (record.kind === 'gap' ? record.dropped : 0), 0);
}
