import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AuditRecord } from '../../src/audit/audit-record.ts';
import { AuditTrail } from '../../src/audit/audit-trail.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { callerWith } from '../kit/call-as.ts';
import { ManualClock } from '../kit/manual-clock.ts';

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('deny' as const), host: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('refuse' as const), host: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('change' as const), host: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('room' as const), left: fc.integer({ min: 0, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 3_000 }) }) },
);
const limits = fc.record({
  perSecond: fc.integer({ min: 1, max: 20 }),
  perSecondPerSource: fc.integer({ min: 1, max: 20 }),
});

test('no allowed changing call is lost, and what is written and what is told as dropped are what was offered', async () => {
  await fc.assert(
    fc.asyncProperty(limits, fc.array(step, { maxLength: 200 }), async (limits, steps) => {
      const clock = new ManualClock(1_000_000);
      const records: AuditRecord[] = [];
      let left = Number.POSITIVE_INFINITY;
      const trail = new AuditTrail({
        sink: {
          write: (record, kept) => {
            if (left <= 0 && !kept) return false;
            left -= 1;
            records.push(record);
            return true;
          },
          reopen: () => {},
          close: async () => {},
        },
        limits,
        origin: () => ({ nodeName: 'node-1', nodeGeneration: 1, trustGeneration: 1 }),
        isChanging: () => true,
        auditsAllowed: () => false,
        metrics: createMetrics(),
        clock,
      });
      const offered = { deny: 0, refuse: 0, change: 0 };
      for (const each of steps) {
        if (each.do === 'room') left = each.left;
        else if (each.do === 'wait') clock.advanceTo(clock.now() + each.ms);
        else {
          offered[each.do] += 1;
          const remoteAddress = `10.0.0.${each.host}:1`;
          if (each.do === 'refuse')
            trail.refused({ direction: 'inbound', remoteAddress, reason: 'no_certificate', detail: '' });
          else
            trail.decided({ ...callerWith('admin'), remoteAddress }, '/a.B/C', {
              allowed: each.do === 'change',
              policy: 'built-in',
              rule: '',
            });
        }
      }
      await trail.close();
      const written = records.filter(({ kind }) => kind !== 'gap').length;
      const dropped = records.reduce((sum, record) => sum + (record.kind === 'gap' ? record.dropped : 0), 0);
      assert.equal(written + dropped, offered.deny + offered.refuse + offered.change);
      const changes = records.filter(record => record.kind === 'call' && record.authorized).length;
      assert.equal(changes, offered.change);
      assert.equal(clock.timers, 0);
    }),
    { numRuns: 500 },
  );
});
