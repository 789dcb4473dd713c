import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress, type TcpAddress } from '../identity/address.ts';
import { knownAddresses } from './known-addresses.ts';

test('without anything learned the configured addresses stand as they are', () => {
  assert.deepEqual(known(['node-2.example', 'http://node-3:1'], []), ['node-2.example:5122', 'http://node-3:1']);
});

test('an advertised address of the same host gives scheme and port, in the order it was advertised', () => {
  assert.deepEqual(known(['node-2.example'], ['https://node-2.example:7000', 'http://node-2.example:7001']), [
    'https://node-2.example:7000',
    'http://node-2.example:7001',
  ]);
});

test('an advertised address of another host changes the scheme and never the host or the port', () => {
  assert.deepEqual(known(['10.0.0.2:9000'], ['https://node-2.example:7000', 'http://evil.example:1']), [
    'https://10.0.0.2:9000',
    'http://10.0.0.2:9000',
  ]);
});

test('every configured host stays, and no other one comes', () => {
  const hosts = known(['a.example', 'b.example', 'unix:/run/n.sock'], ['https://a.example:1', 'https://c.example:2']);
  assert.deepEqual(hosts, ['https://a.example:1', 'https://b.example:5122', 'unix:/run/n.sock']);
});

test('no address is listed twice', () => {
  assert.deepEqual(known(['a.example', 'http://a.example:5122'], ['https://x:1', 'https://y:2']), [
    'https://a.example:5122',
  ]);
});

test('an IPv6 host is recognised however it was written', () => {
  assert.deepEqual(known(['[2001:db8:0:0::1]:1'], ['https://[2001:db8::1]:2']), ['https://[2001:db8::1]:2']);
});

function known(configured: readonly string[], advertised: readonly string[]): readonly string[] {
  return knownAddresses(configured.map(parseAddress), advertised.map(tcp)).map(formatAddress);
}

function tcp(text: string): TcpAddress {
  const address = parseAddress(text);
  assert.ok(address.kind === 'tcp');
  return address;
}
