import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusNotices } from './status-notices.ts';

test('who came back without TLS is named, with what came of it', () => {
  const since = new Date(0);
  const downgraded = new Map([
    ['node-3', { decision: 'deny', since } as const],
    ['node-2', { decision: 'allow', since } as const],
  ]);
  assert.deepEqual(
    statusNotices(
      { memoryProblem: undefined, members: { notices: ['unlisted'] }, modeNotices: () => ['the mode'] },
      downgraded,
    ),
    [
      'node-2 spoke mutual TLS and came back without it, and is let in, since 1970-01-01T00:00:00.000Z',
      'node-3 spoke mutual TLS and came back without it, and is refused, since 1970-01-01T00:00:00.000Z',
      'unlisted',
      'the mode',
    ],
  );
});

test('a memory that could not be read is told, and nothing where all is well', () => {
  const parts = { memoryProblem: 'is not JSON', members: { notices: [] }, modeNotices: () => [] };
  assert.match(statusNotices(parts, new Map()).join(), /spoke TLS before the start is not known: the file is not JSON/);
  assert.deepEqual(statusNotices({ ...parts, memoryProblem: undefined }, new Map()), []);
});
