import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MODE_STATE_FORMAT } from './mode-state.ts';

const { parse, serialize, empty } = MODE_STATE_FORMAT;

test('what is written is read again', () => {
  for (const state of [
    empty,
    { optionalSinceMs: 5, turnedAfterMs: undefined },
    { optionalSinceMs: 5, turnedAfterMs: 7 },
  ])
    assert.deepEqual(parse(serialize(state)), { value: state });
});

test('it is understood whole or not at all', () => {
  for (const text of [
    '',
    '7',
    '[]',
    '{}',
    '{"version":2}',
    '{"version":1,"optionalSinceMs":"x"}',
    '{"version":1,"turnedAfterMs":1.5}',
  ])
    assert.ok('problem' in parse(text), text);
});
