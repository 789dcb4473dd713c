import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BROKEN_SETS } from '../../scripts/kit/broken-sets.ts';
import { rotateUnderLoad } from '../../scripts/kit/rotate-under-load.ts';
import { WRITING_STYLES } from '../../scripts/kit/writing-styles.ts';

// The small run of `npm run rotation-soak`. That good sets are taken, that broken ones are not, and that the old CA is
// refused in the end is asserted where it happens; without it the run rejects.
test('leaves rotated in every writing style, a CA rollover and broken sets under load fail no call', async () => {
  const { steps, load, exitCodes } = await rotateUnderLoad({ rotations: 2, broken: BROKEN_SETS.length });
  assert.deepEqual(load.failures, []);
  assert.equal(load.failed, 0);
  assert.deepEqual(exitCodes, [0, 0, 0]);

  const times = new Map(steps.map(({ name, adoptionsMs }) => [name, adoptionsMs.length]));
  for (const { name } of WRITING_STYLES) assert.equal(times.get(name), 2, name);
  for (const { kind } of BROKEN_SETS) assert.equal(times.get(`broken: ${kind}`), 1, kind);
  // Calls of every shape did run, all the time.
  for (const { name, calls } of steps) assert.ok(calls > 0, name);
  assert.ok(load.unary > 0 && load.serverStreaming > 0 && load.bidirectional > 0);
});
