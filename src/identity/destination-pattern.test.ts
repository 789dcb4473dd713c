import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from './address.ts';
import { matchesDestination, parseDestination } from './destination-pattern.ts';

for (const [pattern, address, expected] of [
  ['https://*.blue.example:*', 'https://node-1.blue.example:7', true],
  ['https://*.blue.example:*', 'http://node-1.blue.example:7', false],
  ['https://*.blue.example:*', 'node-1.blue.example:7', true],
  ['https://*.blue.example:*', 'https://a.b.blue.example:7', false],
  ['https://**.blue.example:*', 'https://a.b.blue.example:7', true],
  ['https://*.blue.example:*', 'https://blue.example:7', false],
  ['*.Blue.Example.:*', 'https://A.blue.example:7', true],
  ['node-*.example', 'https://node-7.example:5122', true],
  ['node-*.example', 'https://node-7.example:5123', false],
  ['https://node-1:443', 'https://node-1:443', true],
  ['https://10.0.0.1:*', 'https://10.0.0.1:7', true],
  ['https://10.0.0.1:*', 'https://10.0.0.2:7', false],
  ['https://[::0:1]:*', 'https://[::1]:7', true],
  ['*.*.*.a:*', 'https://10.0.0.1:7', false],
  ['https://*:*', 'https://10.0.0.1:7', true],
  ['https://*:*', 'https://a.b.c:7', true],
] as const)
  test(`${pattern} ${expected ? 'is' : 'is not'} for ${address}`, () => {
    const parsed = parseAddress(address);
    assert.ok(parsed.kind === 'tcp');
    assert.equal(matchesDestination(parseDestination(pattern), parsed), expected);
  });

for (const pattern of [
  '',
  'https://',
  'ftp://a:1',
  'unix:/a',
  'https://10.0.0.0/8:*',
  'https://a:1/x',
  'u@a:1',
  '::1',
  '[a]:1',
  '[10.0.0.1]:1',
  '[*]:1',
  'a:0',
  'a:x',
  'a:65536',
  'a:',
  'a**:1',
  'a.**:1',
  'a..b:1',
  'a?:1',
  '{a,b}:1',
  'a b:1',
  '10.0.0.*:1',
  'a:1\n',
])
  test(`${JSON.stringify(pattern)} is no destination`, () => {
    assert.throws(() => parseDestination(pattern), { code: 'pattern_invalid' });
  });
