import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../identity/address.ts';
import { chooseTargets, type DialMode, targetKey } from './dial-target.ts';

const BOTH = ['http://a:1', 'https://a:2', 'http://b:3', 'https://b:4'];

test('plain dials http alone, in the given order, for its own reason', () => {
  assert.deepEqual(targets('plain', BOTH), ['http://a:1 mode_plain', 'http://b:3 mode_plain']);
});

test('strict dials https alone', () => {
  assert.deepEqual(targets('strict', BOTH), ['https://a:2', 'https://b:4']);
});

test('optional dials https where there is one, and never falls back to http beside it', () => {
  assert.deepEqual(targets('optional', BOTH), ['https://a:2', 'https://b:4']);
});

test('optional dials http where there is nothing else, for the peer’s reason', () => {
  assert.deepEqual(targets('optional', ['http://a:1', 'http://b:3']), [
    'http://a:1 peer_without_tls',
    'http://b:3 peer_without_tls',
  ]);
});

test('an address without a scheme is https for strict and http for the others', () => {
  assert.deepEqual(targets('plain', ['a:1']), ['http://a:1 mode_plain']);
  assert.deepEqual(targets('optional', ['a:1']), ['http://a:1 peer_without_tls']);
  assert.deepEqual(targets('strict', ['a:1']), ['https://a:1']);
});

test('optional prefers a known https address to one whose scheme is open', () => {
  assert.deepEqual(targets('optional', ['a:1', 'https://b:2']), ['https://b:2']);
});

test('a unix socket is plaintext, for its own reason, and nothing for strict', () => {
  assert.deepEqual(targets('plain', ['unix:/run/x.sock']), ['unix:/run/x.sock unix_socket']);
  assert.deepEqual(targets('optional', ['unix:/run/x.sock']), ['unix:/run/x.sock unix_socket']);
  assert.deepEqual(targets('optional', ['unix:/run/x.sock', 'https://a:1']), ['https://a:1']);
  refuses('strict', ['unix:/run/x.sock']);
});

test('where nothing is left the dial is refused by us as no_usable_address, with what is known', () => {
  refuses('strict', ['http://a:1']);
  refuses('plain', ['https://a:1']);
  for (const mode of ['plain', 'optional', 'strict'] as const) refuses(mode, []);
  assert.throws(() => targets('strict', ['http://a:1']), /mode strict dials https .*known are http:\/\/a:1/);
});

function targets(mode: DialMode, addresses: readonly string[]): readonly string[] {
  return chooseTargets(mode, addresses.map(parseAddress)).map(target =>
    target.scheme === 'http' ? `${targetKey(target)} ${target.reason}` : targetKey(target),
  );
}

function refuses(mode: DialMode, addresses: readonly string[]): void {
  assert.throws(
    () => targets(mode, addresses),
    (error: { code: string; facts: { reason: string; by: string } }) => {
      assert.equal(error.code, 'refused');
      assert.equal(error.facts.reason, 'no_usable_address');
      assert.equal(error.facts.by, 'us');
      return true;
    },
  );
}
