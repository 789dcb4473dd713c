import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchangePair, inWords, post } from '../../test/kit/exchange-pair.ts';
import type { PeerExchange } from './peer-exchange.ts';
import type { OutgoingRequest } from './request-route.ts';

const NOTHING = Buffer.alloc(0);

/** How a request ended, in words. */
function posted(exchange: PeerExchange, changes: Partial<OutgoingRequest> = {}, isOneWay = false) {
  let giveUp = () => {};
  const outcome = new Promise<string>(resolve => {
    const pending = post(exchange, changes, ended => resolve(inWords(ended)), isOneWay);
    giveUp = () => pending.cancel();
  });
  return { outcome, giveUp };
}

test('what was turned away by a full queue and given up in the same turn takes no place from others', async () => {
  const { a } = exchangePair({}, { queueBytes: 1_000 });
  const first = posted(a, { payload: Buffer.alloc(800) });
  const second = posted(a, { payload: Buffer.alloc(800) });
  second.giveUp();
  assert.equal(await second.outcome, 'cancelled no');
  assert.equal(await posted(a, { payload: Buffer.alloc(800) }).outcome, 'queue_full no');
  first.giveUp();
  assert.equal(a.queue.requestBytes(1), 0);
});

test('a deadline beyond what fits on the wire is none that has passed', async () => {
  const { promise, resolve } = withResolvers<number>();
  const pair = exchangePair({
    b: incoming => {
      resolve(incoming.deadlineMs);
      incoming.reply(NOTHING, NOTHING);
    },
  });
  pair.connect();
  const { outcome } = posted(pair.a, { timeoutMs: 2 ** 32 + 5 });
  assert.ok((await promise) > Date.now() + 2 ** 31);
  assert.equal(await outcome, 'replied');
});

function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>(given => {
    resolve = given;
  });
  return { promise, resolve };
}

test('who throws where it is told of an outcome, or serves, does so in a turn of its own, and stops nothing else', async t => {
  const thrown: string[] = [];
  const nextTick = process.nextTick.bind(process);
  t.mock.method(process, 'nextTick', (act: (...args: unknown[]) => void, ...args: unknown[]) =>
    nextTick(() => {
      try {
        act(...args);
      } catch (error) {
        thrown.push((error as Error).message);
      }
    }),
  );
  const angry = (word: string) => () => {
    throw new Error(word);
  };
  const pair = exchangePair({
    b: incoming => {
      if (incoming.name === 'angry') throw new Error('serve');
      incoming.onCancel(angry('cancel'));
      if (incoming.name === 'kind') incoming.reply(NOTHING, NOTHING);
    },
  });
  const stream = pair.connect();
  for (const name of ['kind', 'angry', 'waits']) post(pair.a, { name }, angry(`settle ${name}`));
  assert.equal(await posted(pair.a).outcome, 'replied');
  assert.equal(await posted(pair.a, { name: 'angry' }).outcome, 'handler_failed yes');
  stream.end('lost');
  await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual(thrown.sort(), ['cancel', 'serve', 'serve', 'settle angry', 'settle kind', 'settle waits']);
});
