import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { AUTHENTICATION_FAILURES } from '../../src/errors/authentication-failure.ts';
import { LIVENESS_REASONS } from '../../src/errors/liveness-reason.ts';
import { MESSAGE_FAILURES } from '../../src/errors/message-failure.ts';
import { CLOSE_REASONS, REFUSAL_REASONS } from '../../src/errors/refusal-reason.ts';
import { ERROR_SUMMARIES } from '../../src/errors/selvedge-error.ts';
import { MODE_OBSTACLES } from '../../src/rpc/mode-obstacles.ts';
import { STATUS_OF_CODE } from '../../src/rpc/status.ts';
import { PROJECT } from './tracked-files.ts';

const text = readFileSync(join(PROJECT, 'docs/errors.md'), 'utf8');

/** The cells of the table below a heading, its own two lines left out. */
function rowsBelow(heading: string): readonly (readonly string[])[] {
  const section = text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = section.split('\n').filter(line => line.startsWith('|'));
  return rows.slice(2).map(row =>
    row
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim().replaceAll('`', '')),
  );
}

function firstCells(heading: string): readonly string[] {
  return rowsBelow(heading).map(([word = '']) => word);
}

test('docs/errors.md explains every error code in its words, with its status', () => {
  const expected = (Object.keys(ERROR_SUMMARIES) as (keyof typeof ERROR_SUMMARIES)[]).map(code => [
    code,
    ERROR_SUMMARIES[code],
    grpc.status[STATUS_OF_CODE[code]],
  ]);
  const documented = rowsBelow('Error codes').map(([code, meaning, , status]) => [code, meaning, status]);
  assert.deepEqual(documented, expected);
});

test('docs/errors.md explains every refusal reason, and knows no other', () => {
  assert.deepEqual(firstCells('Refusal reasons'), REFUSAL_REASONS);
});

test('docs/errors.md explains every close reason, and knows no other', () => {
  assert.deepEqual(firstCells('Close reasons'), CLOSE_REASONS);
});

test('docs/errors.md explains every message failure, and knows no other', () => {
  assert.deepEqual(firstCells('Message failures'), MESSAGE_FAILURES);
});

test('docs/errors.md explains every liveness reason that is in no other list, and knows no other', () => {
  assert.deepEqual(firstCells('Liveness reasons'), LIVENESS_REASONS);
});

test('docs/errors.md explains every obstacle of a preflight, and knows no other', () => {
  assert.deepEqual(firstCells('Preflight obstacles'), MODE_OBSTACLES);
});

test('docs/errors.md explains every authentication failure, and knows no other', () => {
  assert.deepEqual(firstCells('Authentication failures'), AUTHENTICATION_FAILURES);
});
