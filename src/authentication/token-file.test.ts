import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isTokenName, TOKEN_PREFIX } from '../rpc/token-name.ts';
import { findToken, generateToken, hashOfToken } from './static-token.ts';
import { formatToken, MAX_TOKENS, parseTime, parseTokens, type TokenEntry } from './token-file.ts';

const HASH = 'ab'.repeat(32);

test('a line is a name, roles, a hash and perhaps a time; comments and empty lines count for nothing', () => {
  const entries = entriesOf(
    `# who may\n\n  alice admin sha256:${HASH}\r\nboard@ops observer,admin  sha256:${'0C'.repeat(32)}\t2027-01-31T00:00:00Z\n`,
  );
  assert.deepEqual(
    entries.map(({ name, roles, hash, expiresAtMs }) => [name, [...roles], hash.toString('hex'), expiresAtMs]),
    [
      ['alice', ['admin'], HASH, Number.POSITIVE_INFINITY],
      ['board@ops', ['observer', 'admin'], '0c'.repeat(32), Date.UTC(2027, 0, 31)],
    ],
  );
});

test('a file without a token is a file that lets nobody in', () => {
  for (const text of ['', '\n', '# nobody\n']) assert.deepEqual(entriesOf(text), []);
});

test('every mistake is found at once, with its line', () => {
  const text = [
    `alice admin sha256:${HASH}`,
    'short admin',
    `-name root md5:${HASH} tomorrow`,
    `alice observer sha256:${'cd'.repeat(32)}`,
    `other observer sha256:${HASH}`,
    `bob admin,admin sha256:${'ef'.repeat(32)}`,
    `eve peer sha256:${'01'.repeat(32)} 2027-02-30T00:00:00Z`,
    `long admin sha256:${'23'.repeat(32)} 2027-01-31T00:00:00Z more`,
  ].join('\n');
  const parsed = parseTokens(text);
  assert.ok('problems' in parsed);
  assert.deepEqual(
    parsed.problems.map(({ line, problem }) => `${line} ${problem}`),
    [
      '2 It has 2 fields.',
      '3 The first field is no name.',
      '3 The second field is no list of roles.',
      '3 The third field is no hash.',
      '3 The fourth field is no time.',
      '4 The name alice is given twice.',
      '5 The same token stands in a line above.',
      '6 The second field is no list of roles.',
      '7 The second field is no list of roles.',
      '7 The fourth field is no time.',
      '8 It has 5 fields.',
    ],
  );
});

test('no problem quotes a token that was pasted where its hash belongs', () => {
  const token = generateToken();
  for (const line of [`alice admin ${token}`, token, `${token} admin sha256:${HASH}`, `alice ${token} sha256:${HASH}`])
    assert.doesNotMatch(JSON.stringify(parseTokens(line)), new RegExp(token.slice(TOKEN_PREFIX.length)));
});

test('there is a largest number of tokens', () => {
  const lines = Array.from({ length: MAX_TOKENS + 1 }, (_, index) =>
    formatToken({ ...entry('x', 'x'), name: `n${index}`, hash: hashOfToken(String(index)) }),
  );
  assert.equal(entriesOf(lines.slice(1).join('\n')).length, MAX_TOKENS);
  assert.ok('problems' in parseTokens(lines.join('\n')));
});

test('what is written is read as what it was', () => {
  const names = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/).filter(isTokenName);
  const times = fc.oneof(
    fc.constant(Number.POSITIVE_INFINITY),
    fc.integer({ min: 0, max: 4e9 }).map(s => s * 1_000),
  );
  const roles = fc.subarray(['admin', 'observer'] as const, { minLength: 1 });
  fc.assert(
    fc.property(names, roles, fc.string(), times, (name, listed, token, expiresAtMs) => {
      const written: TokenEntry = { name, roles: new Set(listed), hash: hashOfToken(token), expiresAtMs };
      assert.deepEqual(entriesOf(formatToken(written)), [written]);
    }),
  );
});

test('reading is total: any text is entries or problems with lines that are there', () => {
  const words = fc.constantFrom(
    'alice',
    'admin',
    'observer',
    `sha256:${HASH}`,
    '2027-01-31T00:00:00Z',
    '#',
    '\n',
    ' ',
    ',',
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(words, { maxLength: 20 }).map(list => list.join(' ')),
  );
  fc.assert(
    fc.property(texts, text => {
      const parsed = parseTokens(text);
      if ('entries' in parsed) return;
      assert.ok(parsed.problems.length > 0);
      for (const { line } of parsed.problems) assert.ok(line >= 1 && line <= text.split('\n').length);
    }),
  );
});

test('times are whole seconds in UTC, of days that there are', () => {
  assert.equal(parseTime('2028-02-29T23:59:59Z'), Date.UTC(2028, 1, 29, 23, 59, 59));
  for (const text of [
    '2027-02-29T00:00:00Z',
    '2027-01-31',
    '2027-01-31T00:00:00+01:00',
    '2027-01-31T00:00:00.5Z',
    '',
  ]) {
    assert.equal(parseTime(text), undefined, text);
  }
});

test('a token is found by itself and by nothing else', () => {
  const tokens = [generateToken(), generateToken(), generateToken()];
  const entries = tokens.map((token, index) => entry(`n${index}`, token));
  assert.deepEqual(
    tokens.map(token => findToken(entries, token)?.name),
    ['n0', 'n1', 'n2'],
  );
  const [first = ''] = tokens;
  for (const wrong of ['', first.slice(1), `${first}x`, first.toUpperCase(), hashOfToken(first).toString('hex')])
    assert.equal(findToken(entries, wrong), undefined);
});

test('a fresh token is one that scanners can find, with 256 random bits', () => {
  const tokens = Array.from({ length: 100 }, generateToken);
  assert.equal(new Set(tokens).size, 100);
  for (const token of tokens) assert.match(token, /^selvedge_[\w-]{43}$/);
});

function entry(name: string, token: string): TokenEntry {
  return { name, roles: new Set(['admin']), hash: hashOfToken(token), expiresAtMs: Number.POSITIVE_INFINITY };
}

function entriesOf(text: string): readonly TokenEntry[] {
  const parsed = parseTokens(text);
  assert.ok('entries' in parsed, JSON.stringify(parsed));
  return parsed.entries;
}
