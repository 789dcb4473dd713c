import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockContains, ipAddressFromBytes, parseIpAddress, parseIpBlock } from './ip-address.ts';

for (const [text, canonical] of [
  ['10.0.0.1', '10.0.0.1'],
  ['::', '::'],
  ['::1', '::1'],
  ['2001:0DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['fe80::', 'fe80::'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['0:0:0:0:0:ffff:0a00:0001', '10.0.0.1'],
  ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
] as const)
  test(`${text} is written ${canonical}`, () => {
    const address = parseIpAddress(text);
    assert.equal(address?.text, canonical);
    assert.deepEqual(ipAddressFromBytes(address?.bytes ?? []), address);
  });

for (const text of [
  '',
  '10.0.0',
  '010.0.0.1',
  '10.0.0.256',
  '0x7f.0.0.1',
  '10.0.0.1 ',
  '[::1]',
  'fe80::1%eth0',
  ':::',
  '1::2::3',
  'a',
])
  test(`${JSON.stringify(text)} is no address`, () => assert.equal(parseIpAddress(text), undefined));

const inside = (block: string, address: string): boolean => {
  const parsedBlock = parseIpBlock(block);
  const parsedAddress = parseIpAddress(address);
  assert.ok('block' in parsedBlock && parsedAddress !== undefined);
  return blockContains(parsedBlock.block, parsedAddress);
};

test('a block holds the addresses that agree with it in the bits of its prefix', () => {
  assert.ok(inside('10.0.0.0/8', '10.255.255.255'));
  assert.ok(!inside('10.0.0.0/8', '11.0.0.0'));
  assert.ok(inside('192.168.4.0/22', '192.168.7.1'));
  assert.ok(!inside('192.168.4.0/22', '192.168.8.0'));
  assert.ok(inside('2001:db8::/33', '2001:db8:7fff::1'));
  assert.ok(!inside('2001:db8::/33', '2001:db8:8000::1'));
  assert.ok(inside('10.0.0.1', '10.0.0.1'));
  assert.ok(inside('0.0.0.0/0', '1.2.3.4'));
});

test('a block of one family never holds an address of the other, but a mapped block is an IPv4 block', () => {
  assert.ok(!inside('::/0', '1.2.3.4'));
  assert.ok(!inside('0.0.0.0/0', '::1'));
  assert.ok(inside('::ffff:10.0.0.0/104', '10.1.2.3'));
  assert.ok(!inside('::ffff:10.0.0.0/104', '11.1.2.3'));
});

for (const [text, problem] of [
  ['10.0.0.5/8', /write 10\.0\.0\.0\/8$/],
  ['2001:db8::1/64', /write 2001:db8::\/64$/],
  ['::ffff:0:0/80', /beyond its prefix/],
  ['10.0.0.0/33', /0 to 32/],
  ['10.0.0.0/', /0 to 32/],
  ['10.0.0.0/08', /0 to 32/],
  ['10.0.0.0/8/8', /0 to 32/],
  ['::/129', /0 to 128/],
  ['10/8', /not an IP address/],
] as const)
  test(`${text} is no block`, () => {
    const parsed = parseIpBlock(text);
    assert.match('problem' in parsed ? parsed.problem : '', problem);
  });
