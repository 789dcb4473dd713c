import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_TOKEN_LENGTH, readAuthorization } from './authorization-header.ts';

test('one bearer token is read, whatever the case of the scheme', () => {
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR'])
    assert.deepEqual(readAuthorization([`${scheme} abc.DEF-1_2~3+4/5==`]), {
      kind: 'bearer',
      token: 'abc.DEF-1_2~3+4/5==',
    });
});

test('no value is absent, and everything that is not exactly one token is malformed', () => {
  assert.deepEqual(readAuthorization([]), { kind: 'absent' });
  const malformed: readonly (readonly (string | Buffer)[])[] = [
    [''],
    ['Bearer'],
    ['Bearer '],
    ['Bearer  two-spaces'],
    ['Bearer a b'],
    ['Bearer a, Bearer b'],
    ['Bearer a\n'],
    ['Bearer =a'],
    ['Bearer é'],
    [' Bearer a'],
    ['Basic YTpi'],
    ['Bearertoken'],
    ['Bearer a', 'Bearer a'],
    ['Bearer a', ''],
    [Buffer.from('Bearer a')],
    [`Bearer ${'a'.repeat(MAX_TOKEN_LENGTH + 1)}`],
  ];
  for (const values of malformed) assert.deepEqual(readAuthorization(values), { kind: 'malformed' }, String(values));
  assert.equal(readAuthorization([`Bearer ${'a'.repeat(MAX_TOKEN_LENGTH)}`]).kind, 'bearer');
});
