import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RefusalDelay } from './refusal-delay.ts';

test('the first refusal of an address is immediate, those that follow within the window are held back', () => {
  const delay = new RefusalDelay({ windowMs: 1_000, delayMs: 500 });
  assert.deepEqual(
    [0, 999, 1_998, 2_997].map(now => delay.next('a', now)),
    [0, 500, 500, 500],
  );
});

test('an address that was quiet for the window is new again', () => {
  const delay = new RefusalDelay({ windowMs: 1_000, delayMs: 500 });
  delay.next('a', 0);
  assert.equal(delay.next('a', 1_000), 0);
});

test('addresses do not slow each other down', () => {
  const delay = new RefusalDelay();
  delay.next('a', 0);
  assert.equal(delay.next('b', 1), 0);
  assert.equal(delay.next('a', 2), 500);
});

test('by default the window is 5 s and the delay 500 ms', () => {
  const delay = new RefusalDelay();
  delay.next('a', 0);
  assert.equal(delay.next('a', 4_999), 500);
  assert.equal(delay.next('a', 9_999), 0);
});

test('no more than the given number of addresses is remembered, the oldest is forgotten first', () => {
  const delay = new RefusalDelay({ maxAddresses: 2 });
  for (const address of ['a', 'b', 'c']) delay.next(address, 0);
  assert.equal(delay.next('b', 1), 500);
  assert.equal(delay.next('c', 1), 500);
  assert.equal(delay.next('a', 1), 0);
});

test('an address that comes again counts as the newest', () => {
  const delay = new RefusalDelay({ maxAddresses: 2 });
  for (const address of ['a', 'b', 'a', 'c']) delay.next(address, 0);
  assert.equal(delay.next('a', 1), 500);
});

test('a flood from many addresses does not stop the delay of one that stays', () => {
  const delay = new RefusalDelay({ maxAddresses: 100 });
  delay.next('persistent', 0);
  for (let round = 1; round < 50; round += 1) {
    for (let stranger = 0; stranger < 90; stranger += 1) delay.next(`${round}.${stranger}`, round);
    assert.equal(delay.next('persistent', round), 500);
  }
});
