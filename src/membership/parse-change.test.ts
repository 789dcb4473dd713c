import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSelvedgeError } from '../errors/selvedge-error.ts';
import { formatAddress } from '../identity/address.ts';
import { type Addition, parseAddition, parseNamedChange } from './parse-change.ts';

test('an addition holds what was given, and leaves out what was not', () => {
  const labels = { role: 'worker' };
  const change = parseAddition({
    name: 'node-7',
    addresses: ['https://A.example', 'unix:/run/x.sock'],
    labels,
    zone: 'a',
    weight: 0,
  });
  assert.ok(change.kind === 'add');
  const { addresses, ...rest } = change;
  assert.deepEqual(addresses.map(formatAddress), ['https://a.example:5122', 'unix:/run/x.sock']);
  assert.deepEqual(rest, { kind: 'add', name: 'node-7', labels, zone: 'a', weight: 0 });
  assert.deepEqual(parseAddition({ name: 'node-7', addresses: [], labels: {}, zone: '' }), {
    kind: 'add',
    name: 'node-7',
    addresses: [],
  });
});

test('everything that is wrong is said at once', () => {
  const problem = problemOf({
    name: 'Node 7',
    addresses: ['ftp://x', '0.0.0.0:5122', 'node-7:0', 'fine.example'],
    labels: { role: 'a\n', fine: 'x' },
    zone: 'x'.repeat(129),
    weight: 65_536,
  });
  const said = ['"Node 7" is not a node name', 'ftp', '0.0.0.0:5122 cannot be dialled', 'node-7:0 cannot be dialled'];
  for (const text of [...said, 'Label "role"', 'A zone has', '65536 is not a weight'])
    assert.ok(problem.includes(text), `${text} in ${problem}`);
  assert.ok(!problem.includes('fine'), problem);
});

test('lists are limited', () => {
  const addresses = Array.from({ length: 33 }, (_, index) => `node-7:${index + 1}`);
  assert.match(problemOf({ name: 'node-7', addresses }), /at most 32 addresses/);
  const labels = Object.fromEntries(addresses.concat(addresses.map(text => `${text}x`)).map(text => [text, '']));
  assert.match(problemOf({ name: 'node-7', addresses: [], labels }), /At most 64 labels/);
});

test('the other changes need a node name', () => {
  assert.deepEqual(parseNamedChange('terminate', 'node-7'), { kind: 'terminate', name: 'node-7' });
  assert.throws(() => parseNamedChange('remove', ''), { code: 'usage' });
});

function problemOf(addition: Addition): string {
  try {
    parseAddition(addition);
  } catch (error) {
    assert.ok(isSelvedgeError(error, 'usage'));
    return error.facts.problem;
  }
  throw new assert.AssertionError({ message: 'nothing was wrong' });
}
