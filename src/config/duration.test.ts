import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from './duration.ts';

test('a duration is a number and a unit', () => {
  assert.equal(parseDuration('500ms'), 500);
  assert.equal(parseDuration('30s'), 30_000);
  assert.equal(parseDuration('5m'), 300_000);
  assert.equal(parseDuration('1h'), 3_600_000);
  assert.equal(parseDuration('1.5s'), 1_500);
  assert.equal(parseDuration('0s'), 0);
});

test('a number alone, a sign, a space or another unit is no duration', () => {
  for (const written of [
    '30',
    '',
    's',
    '-5s',
    '+5s',
    '5 s',
    ' 5s',
    '5S',
    '5sec',
    '1d',
    '1h30m',
    '.5s',
    '1e3s',
    'Infinitys',
  ])
    assert.equal(parseDuration(written), undefined, written);
});
