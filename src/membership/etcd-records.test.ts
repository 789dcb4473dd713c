import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../identity/address.ts';
import {
  type Registration,
  type RosterRecord,
  readHolderRecord,
  readRegistration,
  readRosterRecord,
  writeRecord,
} from './etcd-records.ts';

const REGISTRATION = { addresses: ['https://a:1'], labels: { role: 'x' }, zone: 'z', weight: 2, generation: 7 };
const ROSTER = { state: 'active', by: 'cn:ops', atMs: 1 };

test('what is written is read back', () => {
  const registration: Registration = {
    addresses: [parseAddress('https://a:1'), parseAddress('http://[::1]:2')].flatMap(each =>
      each.kind === 'tcp' ? [each] : [],
    ),
    labels: { role: 'x' },
    zone: 'eu-1a',
    weight: 0,
    generation: 3,
  };
  assert.deepEqual(readRegistration(writeRecord(registration)), { value: registration });
  const roster: RosterRecord = { state: 'draining', addresses: [parseAddress('unix:/a')], by: 'local', atMs: 5 };
  assert.deepEqual(readRosterRecord(writeRecord(roster)), { value: roster });
  const bare: RosterRecord = { state: 'removed', by: '', atMs: 0 };
  assert.deepEqual(readRosterRecord(writeRecord(bare)), { value: bare });
  assert.deepEqual(readHolderRecord(writeRecord({ id: 'h', generation: 1 })), { value: { id: 'h', generation: 1 } });
});

test('a registration sends nobody to a socket of his own machine; an operator may', () => {
  const read = readRegistration(
    JSON.stringify({ ...REGISTRATION, addresses: ['unix:/run/other.sock', 'https://a:1'] }),
  );
  assert.deepEqual('value' in read && read.value.addresses.map(({ host }) => host), ['a']);
});

test('a record that is not as it must be is refused as a whole, without its texts', () => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${index}`, '']));
  const broken: readonly unknown[] = [
    ...['', '[]', 'null', '{', JSON.stringify({ ...REGISTRATION, padding: 'x'.repeat(200_000) })],
    { ...REGISTRATION, addresses: undefined },
    { ...REGISTRATION, addresses: 'https://a:1' },
    { ...REGISTRATION, addresses: ['https://EVIL EVIL'] },
    { ...REGISTRATION, addresses: ['https://0.0.0.0:1'] },
    { ...REGISTRATION, addresses: ['https://a:0'] },
    { ...REGISTRATION, addresses: [`https://${'a'.repeat(300)}:1`] },
    { ...REGISTRATION, addresses: Array.from({ length: 33 }, () => 'https://a:1') },
    { ...REGISTRATION, labels: [] },
    { ...REGISTRATION, labels: { EVIL: 1 } },
    { ...REGISTRATION, labels: { '': 'x' } },
    { ...REGISTRATION, labels: { role: 'EVIL\n' } },
    { ...REGISTRATION, labels: { role: 'x'.repeat(129) } },
    { ...REGISTRATION, labels: many(257) },
    { ...REGISTRATION, zone: '' },
    { ...REGISTRATION, zone: 5 },
    { ...REGISTRATION, weight: -1 },
    { ...REGISTRATION, weight: 1.5 },
    { ...REGISTRATION, weight: 65_536 },
    { ...REGISTRATION, weight: '1' },
    { ...REGISTRATION, generation: 0 },
    { ...REGISTRATION, generation: '7' },
  ];
  for (const each of broken) {
    const text = typeof each === 'string' ? each : JSON.stringify(each);
    const read = readRegistration(text);
    assert.ok('problem' in read, text.slice(0, 200));
    assert.doesNotMatch(read.problem, /EVIL/);
  }
  assert.ok('value' in readRegistration(JSON.stringify({ ...REGISTRATION, later: true })), 'unknown fields are taken');
  for (const each of [
    { ...ROSTER, state: 'gone' },
    { ...ROSTER, by: 1 },
    { ...ROSTER, atMs: 'x' },
    { state: 'active' },
  ])
    assert.ok('problem' in readRosterRecord(JSON.stringify(each)), JSON.stringify(each));
  for (const each of [{ id: '', generation: 1 }, { generation: 1 }, { id: 'a' }])
    assert.ok('problem' in readHolderRecord(JSON.stringify(each)), JSON.stringify(each));
});
