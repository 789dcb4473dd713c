import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchangePair, inWords, post } from '../../test/kit/exchange-pair.ts';
import { until } from '../../test/kit/until.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import { InboundRequest } from './inbound-request.ts';
import type { PeerExchange } from './peer-exchange.ts';

const NOTHING = Buffer.alloc(0);
const GUARD = {} as StreamGuard;
const WAY = { takesCalls: () => true, takesMessages: () => true };

function ask(exchange: PeerExchange, ends: string[]): void {
  post(exchange, {}, outcome => void ends.push(outcome.kind));
}

test('a stream that the peer never takes up takes the place of none, and nothing is lost with it', async () => {
  const pair = exchangePair({ b: request => request.reply(NOTHING, NOTHING) });
  const ends: string[] = [];
  pair.connect();
  ask(pair.a, ends);
  await until('a reply', () => ends.length === 1);
  // `b` has not read the Welcome: it knows nothing of this one.
  const unheard = pair.a.attach({ write: (_batch, done) => void setImmediate(done) }, GUARD, WAY, 1);
  ask(pair.a, ends);
  await until('a reply over the older stream', () => ends.length === 2);
  pair.a.detach(unheard, 'lost');
  ask(pair.a, ends);
  await until('a reply afterwards', () => ends.length === 3);
  assert.deepEqual(ends, ['replied', 'replied', 'replied']);
});

test('an answer that waits outlives the stream over which the request came', async () => {
  const answers: (() => void)[] = [];
  const pair = exchangePair({ b: request => void answers.push(() => request.reply(NOTHING, NOTHING)) });
  const ends: string[] = [];
  const first = pair.connect();
  ask(pair.a, ends);
  await until('a request', () => answers.length === 1);
  pair.connect();
  await Promise.all([first.a.quiet, first.b.quiet]);
  for (const answer of answers) answer();
  first.end('closed');
  await until('an end', () => ends.length === 1);
  assert.deepEqual(ends, ['replied']);
});

test('of two requests with one id the older one is cancelled, for the peer cannot tell the answers', () => {
  const cancelled: string[] = [];
  const pair = exchangePair({ b: request => request.onCancel(() => cancelled.push(request.name)) });
  const { b: stream } = pair.connect();
  for (const name of ['first', 'second'])
    pair.b.arrived(new InboundRequest(stream, 1, 7, name, NOTHING, NOTHING, 0, false), GUARD);
  assert.deepEqual(cancelled, ['first']);
});

test('a request that fails since its stream was lost is served no further, also where the peer did not know that stream in use', async () => {
  const cancelled: number[] = [];
  const pair = exchangePair({
    b: request => request.onCancel(() => void cancelled.push(request.id)),
  });
  const first = pair.connect();
  const outcomes: string[] = [];
  post(pair.a, {}, outcome => outcomes.push(inWords(outcome)));
  await until('it is served', () => pair.b.takeTraffic());
  const second = pair.connect();
  await until('both have left the older stream', () => first.a.hasLeft && first.b.hasLeft);
  first.end('closed');
  second.end('lost');
  await until('it fails', () => outcomes.length === 1);
  assert.deepEqual([outcomes, cancelled], [['stream_lost maybe'], []]);
  pair.connect();
  await until('it is given up there', () => cancelled.length === 1);
  await pair.b.idle;
});
