import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type DeadlineLine, Deadlines, type Expiring } from './deadlines.ts';

class Item implements Expiring {
  expiresAtMs = 0;
  earlier: Expiring | undefined = undefined;
  later: Expiring | undefined = undefined;
  line: DeadlineLine | undefined = undefined;
  expired = 0;
  readonly #onExpire: () => void;

  constructor(onExpire: () => void = () => {}) {
    this.#onExpire = onExpire;
  }

  expire(): void {
    this.expired += 1;
    this.#onExpire();
  }
}

/** Time that goes on when it is told to. */
function standingTime(t: TestContext): { readonly now: () => number; readonly pass: (ms: number) => void } {
  let now = 1_000;
  t.mock.timers.enable({ apis: ['setTimeout'] });
  t.mock.method(performance, 'now', () => now);
  return {
    now: () => now,
    pass: ms => {
      for (let left = ms; left > 0; left -= 1) {
        now += 1;
        t.mock.timers.tick(1);
      }
    },
  };
}

test('each expires once, at its time, and not where it was removed', t => {
  const time = standingTime(t);
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const), timeoutMs: fc.integer({ min: 0, max: 12 }) }),
    fc.record({ do: fc.constant('remove' as const), index: fc.nat(30) }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 6 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const deadlines = new Deadlines();
      const items: { readonly item: Item; readonly atMs: number; isRemoved: boolean }[] = [];
      const check = () => {
        for (const { item, atMs, isRemoved } of items)
          if (!isRemoved) assert.equal(item.expired, Math.max(atMs, 0) <= time.now() ? 1 : 0);
      };
      for (const each of steps) {
        if (each.do === 'add') {
          const item = new Item();
          deadlines.add(item, each.timeoutMs);
          // A timer waits for one millisecond at least.
          items.push({ item, atMs: time.now() + Math.max(each.timeoutMs, 1), isRemoved: false });
        } else if (each.do === 'remove') {
          const of = items[each.index];
          if (of !== undefined && of.item.expired === 0) {
            deadlines.remove(of.item);
            deadlines.remove(of.item);
            of.isRemoved = true;
          }
        } else {
          time.pass(each.ms);
          check();
        }
      }
      time.pass(20);
      check();
      for (const { item, isRemoved } of items) if (isRemoved) assert.equal(item.expired, 0);
      assert.equal(deadlines.timers, 0);
    }),
    { numRuns: 300 },
  );
});

test('timeouts of all lengths that end before leave no timers behind', () => {
  const deadlines = new Deadlines();
  const kept = new Item();
  deadlines.add(kept, 1);
  for (let timeoutMs = 1_000; timeoutMs < 11_000; timeoutMs += 1) {
    const item = new Item();
    deadlines.add(item, timeoutMs);
    deadlines.remove(item);
  }
  assert.ok(deadlines.timers <= 64, `${deadlines.timers} timers`);
  assert.notEqual(kept.line, undefined);
  deadlines.close();
  assert.equal(deadlines.timers, 0);
});

test('a timeout beyond what a timer can wait is waited for in several parts', t => {
  const waits: number[] = [];
  t.mock.method(globalThis, 'setTimeout', (_act: () => void, ms: number) => {
    waits.push(ms);
    return { unref: () => undefined };
  });
  new Deadlines().add(new Item(), 2 ** 32 - 1);
  assert.deepEqual(waits, [2 ** 31 - 1]);
});

test('one that throws does not keep the others from expiring', t => {
  const time = standingTime(t);
  const deadlines = new Deadlines();
  const angry = new Item(() => {
    throw new Error('no');
  });
  const calm = new Item();
  for (const item of [angry, calm]) deadlines.add(item, 5);
  assert.throws(() => time.pass(5), /no/);
  time.pass(2);
  assert.deepEqual([angry.expired, calm.expired], [1, 1]);
});
