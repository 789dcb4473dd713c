import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, formatAddress, formatHostPort, parseAddress } from '../identity/address.ts';
import { type AddressHolder, membersAt } from './address-holder.ts';
import type { FoundAddress } from './dns-answer.ts';

const SELF = { name: 'node-1', generation: 10 };

test('addresses of one process are one member, in the order of the answer', () => {
  assert.deepEqual(seen({ '10.0.0.2:5122': holder('node-2'), '[fd00::2]:5122': holder('node-2') }), {
    'node-2': ['10.0.0.2:5122', '[fd00::2]:5122'],
  });
});

test('a name is where its newest process answers', () => {
  const old = holder('node-2', { generation: 1 });
  assert.deepEqual(seen({ '10.0.0.2:5122': old, '10.0.0.9:5122': holder('node-2', { generation: 2 }) }), {
    'node-2': ['10.0.0.9:5122'],
  });
});

test('who proves a name has it, whatever somebody without a proof says', () => {
  const liar = holder('node-2', { isProven: false, generation: Number.MAX_SAFE_INTEGER });
  assert.deepEqual(seen({ '10.0.0.2:5122': holder('node-2'), '10.6.6.6:5122': liar }), { 'node-2': ['10.0.0.2:5122'] });
  assert.deepEqual(seen({ '10.6.6.6:5122': liar }), { 'node-2': ['10.6.6.6:5122'] });
});

test('our own name is this process alone, and who is unknown is nobody', () => {
  const own = holder('node-1', { generation: 10 });
  const twin = holder('node-1', { generation: 11 });
  assert.deepEqual(seen({ '10.0.0.1:5122': own, '10.0.0.7:5122': twin, '10.0.0.8:5122': undefined }), {
    'node-1': ['10.0.0.1:5122'],
  });
});

test('labels and zone are the word of the node, and the weight is that of DNS where it has one', () => {
  const of = holder('node-2', { labels: { role: 'worker' }, zone: 'eu-1a' });
  const said = { labels: {}, said: { labels: { role: 'worker' }, zone: 'eu-1a' } };
  const [plain] = membersAt([found('10.0.0.2:5122')], () => of, SELF);
  assert.deepEqual({ ...plain, addresses: [] }, { name: 'node-2', addresses: [], ...said });
  const records = [
    { ...found('10.0.0.2:5122'), priority: 1, weight: 0 },
    { ...found('10.0.0.3:5122'), priority: 2, weight: 50 },
  ];
  assert.equal(membersAt(records, () => of, SELF)[0]?.weight, 0, 'that of the preferred record');
});

function seen(holders: Readonly<Record<string, AddressHolder | undefined>>): Record<string, readonly string[]> {
  const members = membersAt(Object.keys(holders).map(found), ({ address }) => holders[formatAddress(address)], SELF);
  return Object.fromEntries(members.map(({ name, addresses }) => [name, addresses.map(hostPortOf)]));
}

test('who proved its name is dialled with TLS, who did not as every address without a scheme', () => {
  for (const [isProven, expected] of [
    [true, 'https://10.0.0.2:5122'],
    [false, '10.0.0.2:5122'],
  ] as const) {
    const [member] = membersAt([found('10.0.0.2:5122')], () => holder('node-2', { isProven }), SELF);
    assert.deepEqual(member?.addresses.map(formatAddress), [expected]);
  }
});

function hostPortOf(address: Address): string {
  return address.kind === 'tcp' ? formatHostPort(address) : assert.fail('no TCP address');
}

function holder(name: string, changes: Partial<AddressHolder> = {}): AddressHolder {
  return { name, generation: 1, isProven: true, labels: {}, ...changes };
}

function found(text: string): FoundAddress {
  const address = parseAddress(text);
  if (address.kind !== 'tcp') throw new TypeError('unreachable');
  return { address, priority: 0, weight: undefined };
}
