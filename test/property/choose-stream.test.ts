import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chooseStream, type StreamFacts } from '../../src/messaging/choose-stream.ts';

const kind = fc.constantFrom('none' as const, 'tls' as const, 'mutual_tls' as const);

/** Few values each, so that every tie is met. */
const facts = fc.record({
  generation: fc.integer({ min: 1, max: 3 }),
  security: fc.record({ kind }),
  dialledBy: fc.constantFrom('node-a', 'node-b'),
});

/** Streams of one process: no two have the same order. */
const streams = (count: number): fc.Arbitrary<StreamFacts[]> =>
  fc
    .tuple(
      fc.array(facts, { minLength: count, maxLength: count }),
      fc.shuffledSubarray([1, 2, 3], { minLength: count, maxLength: count }),
    )
    .map(([all, orders]) => all.map((each, index) => ({ ...each, order: orders[index] ?? 0 })));

const pair = streams(2).map(([first, second]) => {
  assert.ok(first !== undefined && second !== undefined);
  return [first, second] as const;
});

test('of two streams exactly one stays, in whichever order they are looked at', () => {
  fc.assert(
    fc.property(pair, ([first, second]) => {
      assert.equal(chooseStream(first, second), chooseStream(second, first));
    }),
    { numRuns: 2_000 },
  );
});

test('of three streams the same one stays, whichever two meet first', () => {
  fc.assert(
    fc.property(streams(3), ([a, b, c]) => {
      assert.ok(a !== undefined && b !== undefined && c !== undefined);
      assert.equal(chooseStream(chooseStream(a, b), c), chooseStream(a, chooseStream(b, c)));
    }),
    { numRuns: 2_000 },
  );
});

test('what is not mutual TLS never displaces mutual TLS', () => {
  fc.assert(
    fc.property(pair, ([first, second]) => {
      const isProven = (stream: StreamFacts) => stream.security.kind === 'mutual_tls';
      if (isProven(first) || isProven(second)) assert.ok(isProven(chooseStream(first, second)));
    }),
    { numRuns: 2_000 },
  );
});

test('generation comes before security, security before the dialler, the dialler before age', () => {
  const base = { generation: 1, security: { kind: 'none' }, dialledBy: 'node-b', order: 1 } as const;
  const better: readonly StreamFacts[] = [
    { ...base, generation: 2, dialledBy: 'node-c', order: 0 },
    { ...base, security: { kind: 'tls' }, dialledBy: 'node-c', order: 0 },
    { ...base, dialledBy: 'node-a', order: 0 },
    { ...base, order: 2 },
  ];
  for (const winner of better) assert.equal(chooseStream(base, winner), winner);
  const newer: StreamFacts = { ...base, generation: 2 };
  assert.equal(chooseStream({ ...base, security: { kind: 'tls' } }, newer), newer);
});

test('both ends of a pair keep the same stream', () => {
  // Both ends live, so each of them has one generation; what differs is how each numbers its streams. Two that the same
  // node dialled were dialled one after the other, which both ends saw in that order.
  const stream = fc.record({ kind, dialledBy: fc.constantFrom('node-a', 'node-b') });
  const input = fc.record({
    generations: fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
    first: stream,
    second: stream,
    seenInOtherOrder: fc.boolean(),
  });
  fc.assert(
    fc.property(input, ({ generations, first, second, seenInOtherOrder }) => {
      const other = seenInOtherOrder && first.dialledBy !== second.dialledBy;
      const keeps = (end: 0 | 1) => {
        const facts = (each: typeof first, order: number) => ({
          id: each,
          generation: generations[end],
          security: { kind: each.kind },
          dialledBy: each.dialledBy,
          order,
        });
        const swapped = end === 1 && other;
        return chooseStream(facts(first, swapped ? 2 : 1), facts(second, swapped ? 1 : 2)).id;
      };
      assert.equal(keeps(0), keeps(1));
    }),
    { numRuns: 2_000 },
  );
});
