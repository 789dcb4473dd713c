import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fifo } from './fifo.ts';

type Step = 'push' | 'shift' | 'putBack' | 'keep' | 'drain';

test('it holds what an array would, in the same order', () => {
  const step = fc.constantFrom<Step>(
    'push',
    'push',
    'push',
    'push',
    'shift',
    'shift',
    'shift',
    'putBack',
    'keep',
    'drain',
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.integer({ min: 1, max: 900 })), { maxLength: 30 }), steps => {
      const fifo = new Fifo<number>();
      let model: number[] = [];
      let last = 0;
      const made = (count: number) => Array.from({ length: count }, () => (last += 1));
      for (const [kind, count] of steps) {
        if (kind === 'push')
          for (const item of made(count)) {
            fifo.push(item);
            model.push(item);
          }
        else if (kind === 'shift') for (let i = 0; i < count; i += 1) assert.equal(fifo.shift(), model.shift());
        else if (kind === 'putBack') {
          const items = made(count);
          fifo.putBack(items);
          model = [...items, ...model];
        } else if (kind === 'keep') {
          fifo.keep(item => item % 3 !== 0);
          model = model.filter(item => item % 3 !== 0);
        } else {
          assert.deepEqual(fifo.drain(), model);
          model = [];
        }
        assert.equal(fifo.size, model.length);
        assert.equal(fifo.peek(), model[0]);
      }
    }),
    { numRuns: 200 },
  );
});
