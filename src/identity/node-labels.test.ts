import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_LABEL_LENGTH, problemOfLabel, problemOfWeight, problemOfZone } from './node-labels.ts';

const LONGEST = 'x'.repeat(MAX_LABEL_LENGTH);

test('a label has a name, and name and value are short and without control characters', () => {
  assert.equal(problemOfLabel(LONGEST, LONGEST), undefined);
  assert.equal(problemOfLabel('role', ''), undefined);
  for (const [name, value] of [
    [' ', 'x'],
    [`${LONGEST}x`, 'x'],
    ['x', `${LONGEST}x`],
    ['x', 'a\nb'],
  ] as const)
    assert.notEqual(problemOfLabel(name, value), undefined, `${name}=${value}`);
});

test('a zone is a short text without control characters', () => {
  assert.equal(problemOfZone(LONGEST), undefined);
  for (const zone of ['', ' ', `${LONGEST}x`, 'eu\u0000']) assert.notEqual(problemOfZone(zone), undefined, zone);
});

test('a weight is a whole number from 0 to 65535', () => {
  for (const weight of [0, 1, 65_535]) assert.equal(problemOfWeight(weight), undefined);
  for (const weight of [-1, 65_536, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '1', undefined])
    assert.notEqual(problemOfWeight(weight), undefined, String(weight));
});
