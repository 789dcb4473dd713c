import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constant, derived, MutableValue } from './observable-value.ts';

test('a subscriber hears of every later change, with the value before, and not of the present one', () => {
  const value = new MutableValue(1);
  const heard: [number, number][] = [];
  value.subscribe((next, previous) => heard.push([next, previous]));
  value.set(2);
  value.set(3);
  assert.deepEqual(heard, [
    [2, 1],
    [3, 2],
  ]);
  assert.equal(value.value, 3);
});

test('an identical value is no change', () => {
  const value = new MutableValue(Number.NaN);
  let changes = 0;
  value.subscribe(() => {
    changes += 1;
  });
  value.set(Number.NaN);
  assert.equal(changes, 0);
});

test('the value is the new one by the time a subscriber hears of it', () => {
  const value = new MutableValue('old');
  let seen = '';
  value.subscribe(() => {
    seen = value.value;
  });
  value.set('new');
  assert.equal(seen, 'new');
});

test('who has stopped hears nothing more, not even of the change that is being told', () => {
  const value = new MutableValue(1);
  const heard: number[] = [];
  value.subscribe(() => stop());
  const stop = value.subscribe(next => heard.push(next));
  value.set(2);
  value.set(3);
  assert.deepEqual(heard, []);
});

test('who subscribes while a change is told hears of the next one', () => {
  const value = new MutableValue(1);
  const heard: number[] = [];
  const stop = value.subscribe(() => {
    stop();
    value.subscribe(next => heard.push(next));
  });
  value.set(2);
  value.set(3);
  assert.deepEqual(heard, [3]);
});

test('when a subscriber sets the value again nobody is left with the older one', () => {
  const value = new MutableValue(1);
  const heard: number[] = [];
  value.subscribe(next => {
    if (next === 2) value.set(3);
  });
  value.subscribe(next => heard.push(next));
  value.set(2);
  assert.deepEqual(heard, [3]);
});

test('a derived value follows its source, publishes only what is new, and stops when disposed', () => {
  const source = new MutableValue(1);
  const parity = derived(source, value => value % 2);
  const heard: number[] = [];
  parity.subscribe(next => heard.push(next));
  assert.equal(parity.value, 1);
  source.set(3);
  source.set(4);
  assert.deepEqual(heard, [0]);
  parity[Symbol.dispose]();
  source.set(5);
  assert.equal(parity.value, 0);
});

test('a constant can be subscribed to and never says anything', () => {
  const value = constant('x');
  value.subscribe(() => assert.fail('it changed'))();
  assert.equal(value.value, 'x');
});
