import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseSpiffeId } from '../../src/identity/spiffe-id.ts';

const file = new URL('../../../shared/vectors/spiffe-id.json', import.meta.url);
const skip = existsSync(file) ? false : 'the folder of test vectors is not here';

interface Case {
  readonly id: string;
  readonly group: string;
  readonly input: { readonly value?: string; readonly id?: string; readonly arg?: unknown };
  readonly expect: 'accept' | 'reject';
}

test('a SPIFFE ID is read exactly where go-spiffe reads it', { skip }, () => {
  const { cases }: { cases: readonly Case[] } = JSON.parse(readFileSync(file, 'utf8'));
  const parsing = cases.filter(({ group }) => group === 'spiffe_id_parse');
  assert.ok(parsing.length > 500);
  for (const { id, input, expect } of parsing) {
    assert.ok(input.value !== undefined, id);
    assert.equal(
      parseSpiffeId(input.value) !== undefined,
      expect === 'accept',
      `${id}: ${JSON.stringify(input.value)}`,
    );
  }
});
