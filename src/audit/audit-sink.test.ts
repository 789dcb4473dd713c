import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '../telemetry/logger.ts';
import { type AuditRecord, recordOfRefusal } from './audit-record.ts';
import { AuditFunction, AuditLog } from './audit-sink.ts';

const RECORD = recordOfRefusal(
  { direction: 'inbound', remoteAddress: '127.0.0.1:1', reason: 'not_a_member', detail: '' },
  { nodeName: 'node-1', nodeGeneration: 1, trustGeneration: 1 },
  0,
);

test('a record in the log is written whatever the level of the log is', () => {
  for (const level of ['silent', 'error', 'info'] as const) {
    const lines: Record<string, unknown>[] = [];
    const logger = createLogger({ level, write: line => lines.push(JSON.parse(line)) });
    new AuditLog(logger).write(RECORD);
    logger.setLevel('error');
    new AuditLog(logger.child({ part: 'x' })).write(RECORD);
    logger.info('node.ready');
    assert.deepEqual(
      lines.map(({ event, level, reason }) => [event, level, reason]),
      [
        ['audit.record', 'info', 'not_a_member'],
        ['audit.record', 'info', 'not_a_member'],
      ],
    );
  }
});

test('a function gets the records; one that it throws on goes to the log, said once', () => {
  const lines: Record<string, unknown>[] = [];
  const problems: (string | undefined)[] = [];
  const taken: AuditRecord[] = [];
  let isBroken = false;
  const sink = new AuditFunction({
    take: record => {
      if (isBroken) throw new Error('no space');
      taken.push(record);
    },
    logger: createLogger({ write: line => lines.push(JSON.parse(line)) }),
    onProblem: problem => problems.push(problem),
  });
  sink.write(RECORD);
  isBroken = true;
  for (let times = 0; times < 2; times += 1) assert.equal(sink.write(RECORD), true);
  isBroken = false;
  sink.write(RECORD);
  assert.equal(taken.length, 2);
  assert.deepEqual(
    lines.map(({ event }) => event),
    ['audit.failed', 'audit.record', 'audit.record', 'audit.recovered'],
  );
  assert.match(problems[1] ?? '', /no space/);
  assert.equal(problems.at(-1), undefined);
});
