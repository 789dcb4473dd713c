import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StreamInterest } from './stream-interest.ts';

test('a stream is wanted while the member is watched, and for the idle timeout after the last traffic', () => {
  let now = 1_000;
  let isBusy = false;
  const interest = new StreamInterest({ idleTimeoutMs: 100, isBusy: () => isBusy, clock: () => now });
  assert.equal(interest.isWanted(), false, 'nobody asked for it');
  interest.watch(true);
  assert.equal(interest.isWanted(), true, 'it is watched');
  interest.watch(false);
  assert.equal(interest.isWanted(), false, 'it is not watched any more');

  interest.touch();
  now += 99;
  assert.equal(interest.isWanted(), true, 'there was traffic');
  now += 1;
  assert.equal(interest.isWanted(), false, 'the timeout has passed');

  isBusy = true;
  now += 1_000;
  assert.equal(interest.isWanted(), true, 'a call runs');
  isBusy = false;
  now += 99;
  assert.equal(interest.isWanted(), true, 'it ran a moment ago');
  now += 1;
  assert.equal(interest.isWanted(), false);
});
