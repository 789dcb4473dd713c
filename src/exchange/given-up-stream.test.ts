import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post } from '../../test/kit/exchange-pair.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import { PeerExchange } from './peer-exchange.ts';
import type { StreamExchange } from './stream-exchange.ts';

const LIMITS = { maxMessageBytes: 65_536, queueBytes: 65_536, windowBytes: 65_536 };
const GUARD: StreamGuard = {
  caller: () => undefined,
  decide: () => ({ allowed: true }) as ReturnType<StreamGuard['decide']>,
  interceptor: () => {
    throw new TypeError('no calls here');
  },
};
const WAY = { takesCalls: () => true, takesMessages: () => true };

/** A stream whose batches from one side are read by the other only when `read` is called. */
function openStream(from: PeerExchange, to: PeerExchange): { sender: StreamExchange; read: () => void } {
  const unread: Buffer[] = [];
  const sender = from.attach(
    {
      write: (batch, done) => {
        unread.push(batch);
        setImmediate(done);
      },
    },
    GUARD,
    WAY,
    1,
  );
  const receiver = to.attach(
    {
      write: (batch, done) => {
        sender.receive(batch);
        setImmediate(done);
      },
    },
    GUARD,
    WAY,
    1,
  );
  return { sender, read: () => unread.splice(0).forEach(batch => void receiver.receive(batch)) };
}

const turns = async () => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
};

test('what a peer had given up with its stream is not served after what it sent over the next one', async () => {
  const served: string[] = [];
  const parts = { limits: LIMITS, demand: () => {}, printable: (text: string) => text };
  const a = new PeerExchange({ ...parts, serve: () => {} });
  const b = new PeerExchange({
    ...parts,
    serve: request => {
      served.push(String(request.payload));
      request.reply(Buffer.alloc(0), Buffer.alloc(0));
    },
  });
  const ends: string[] = [];
  const say = (text: string) =>
    post(a, { payload: Buffer.from(text) }, outcome =>
      ends.push(`${text} ${outcome.kind === 'failed' ? outcome.reason : outcome.kind}`),
    );

  const first = openStream(a, b);
  await turns();
  say('one');
  await turns();
  first.read();
  await turns();
  say('two');
  await turns();
  // It waits unread for a process that is stopped; `a` takes the silence for an end.
  a.detach(first.sender, 'lost');
  const second = openStream(a, b);
  await turns();
  say('three');
  await turns();
  second.read();
  first.read();
  await turns();
  assert.deepEqual(served, ['one', 'three']);
  assert.deepEqual(ends, ['one replied', 'two stream_lost', 'three replied']);
});
