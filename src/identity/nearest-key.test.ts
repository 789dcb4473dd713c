import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editDistance, nearestKey } from './nearest-key.ts';

test('the distance counts insertions, deletions and replacements', () => {
  assert.equal(editDistance('mode', 'mode'), 0);
  assert.equal(editDistance('mod', 'mode'), 1);
  assert.equal(editDistance('bind_adress', 'bind-address'), 2);
  assert.equal(editDistance('', 'mode'), 4);
  assert.equal(editDistance('mode', ''), 4);
});

test('the nearest key takes the fewest edits, and the first of several wins', () => {
  assert.equal(nearestKey('cert_file', ['key-file', 'cert-file', 'ca-file']), 'cert-file');
  assert.equal(nearestKey('x-file', ['a-file', 'b-file']), 'a-file');
  assert.equal(nearestKey('x', []), undefined);
});
