import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress } from '../identity/address.ts';
import { advertisedAddresses } from './advertised-addresses.ts';
import type { TlsMode } from './node-options.ts';

function advertised(
  mode: TlsMode,
  configured: readonly string[] | undefined,
  bound = '0.0.0.0:4000',
  hostName = 'node-1.example',
): readonly string[] {
  return advertisedAddresses({
    mode,
    configured: configured?.map(parseAddress),
    boundAddress: parseAddress(bound),
    hostName,
  }).map(formatAddress);
}

test('plain advertises http, optional https before http, strict https alone', () => {
  assert.deepEqual(advertised('plain', ['a:1']), ['http://a:1']);
  assert.deepEqual(advertised('optional', ['a:1']), ['https://a:1', 'http://a:1']);
  assert.deepEqual(advertised('strict', ['a:1']), ['https://a:1']);
});

test('all https addresses come before all http addresses', () => {
  assert.deepEqual(advertised('optional', ['a:1', 'b:2']), ['https://a:1', 'https://b:2', 'http://a:1', 'http://b:2']);
  assert.deepEqual(advertised('optional', ['http://a:1', 'https://b:2']), ['https://b:2', 'http://a:1']);
});

test('a scheme that the mode does not listen for is not advertised', () => {
  assert.deepEqual(advertised('strict', ['http://a:1', 'https://a:2', 'unix:/s']), ['https://a:2']);
  assert.deepEqual(advertised('plain', ['http://a:1', 'https://a:2']), ['http://a:1']);
});

test('without a list the bound address is advertised', () => {
  assert.deepEqual(advertised('strict', undefined, '127.0.0.1:4000'), ['https://127.0.0.1:4000']);
  assert.deepEqual(advertised('strict', undefined, '[::1]:4000'), ['https://[::1]:4000']);
});

test('a wildcard is never advertised: the host name stands in for it', () => {
  assert.deepEqual(advertised('plain', undefined, '0.0.0.0:4000'), ['http://node-1.example:4000']);
  assert.deepEqual(advertised('plain', undefined, '[::]:4000', 'Node-1'), ['http://node-1:4000']);
  assert.deepEqual(advertised('plain', undefined, '0.0.0.0:4000', '::2'), ['http://[::2]:4000']);
});

test('port 0 is replaced by the port that was bound', () => {
  assert.deepEqual(advertised('strict', ['a:0', 'b:7'], '127.0.0.1:4000'), ['https://a:4000', 'https://b:7']);
});

test('a unix socket is advertised as it is, and never in strict', () => {
  assert.deepEqual(advertised('plain', undefined, 'unix:/run/s'), ['unix:/run/s']);
  assert.deepEqual(advertised('optional', ['a:1'], 'unix:/run/s'), ['https://a:1', 'http://a:1']);
  assert.deepEqual(advertised('strict', undefined, 'unix:/run/s'), []);
});

test('no address is advertised twice', () => {
  assert.deepEqual(advertised('optional', ['a:1', 'http://A:1', 'a:1']), ['https://a:1', 'http://a:1']);
});
