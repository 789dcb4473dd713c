import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { exchangePair, post } from '../../test/kit/exchange-pair.ts';
import { until } from '../../test/kit/until.ts';
import type { OutgoingRequest, RequestOutcome } from './request-route.ts';

const request = (name: string): OutgoingRequest => ({
  name,
  header: Buffer.alloc(0),
  payload: Buffer.alloc(2_000),
  priority: 'normal',
  timeoutMs: undefined,
});

test('a call does not wait for another stream: it fails as not processed', async () => {
  const { a, connect, served } = open();
  const stream = connect();
  const tried = await triedWhileBlocked(a, stream);
  stream.end('lost');
  assert.deepEqual(tried.map(described), ['stream_lost maybe', 'declined no']);
  connect();
  await turn();
  await turn();
  assert.deepEqual(served, []);
});

test('a message waits for it', async () => {
  const { a, connect, served } = open();
  const stream = connect();
  await triedWhileBlocked(a, stream);
  const posted: RequestOutcome[] = [];
  post(a, request('posted'), outcome => posted.push(outcome));
  stream.end('lost');
  connect();
  await until('it is answered', () => posted.length === 1);
  assert.deepEqual([posted.map(described), served], [['replied'], ['posted']]);
});

test('when streams are exchanged in peace, a call moves over', async () => {
  const { a, connect, served } = open();
  const stream = connect();
  const tried = await triedWhileBlocked(a, stream);
  connect();
  stream.toB.release();
  await until('both are answered', () => tried.length === 2);
  assert.deepEqual(
    [tried.map(described), served],
    [
      ['replied', 'replied'],
      ['/first', '/second'],
    ],
  );
});

test('what a peer serves when it says goodbye may have been processed, and is not sent to it again', async () => {
  const served: string[] = [];
  const { a, connect } = exchangePair({ b: asked => served.push(asked.name) });
  const stream = connect();
  const outcomes: RequestOutcome[] = [];
  await until('the stream takes requests', () => stream.a.takesCalls);
  a.tryRequest(request('/tried'), outcome => outcomes.push(outcome));
  post(a, request('posted'), outcome => outcomes.push(outcome));
  await until('both are served', () => served.length === 2);
  const last = stream.b.takeLastBatch();
  if (last !== undefined) stream.a.receive(last);
  stream.end('closed');
  connect();
  await turn();
  await turn();
  assert.deepEqual(outcomes.map(described), ['stream_lost maybe', 'stream_lost maybe']);
  assert.deepEqual(served, ['/tried', 'posted']);
});

test('a call does not move to a stream that carries none', async () => {
  const { a, connect, served } = open();
  const stream = connect();
  const tried = await triedWhileBlocked(a, stream);
  connect({ takesCalls: () => false, takesMessages: () => true });
  stream.toB.release();
  await until('both are settled', () => tried.length === 2);
  assert.deepEqual([tried.map(described).sort(), served], [['declined no', 'replied'], ['/first']]);
});

/** The peer grants so little that a second request waits for the first. */
function open() {
  const served: string[] = [];
  const pair = exchangePair(
    {
      b: asked => {
        served.push(asked.name);
        asked.reply(Buffer.alloc(0), Buffer.alloc(0));
      },
    },
    { windowBytes: 1_000 },
  );
  return { ...pair, served };
}

type Pair = ReturnType<typeof open>;

/** Tries two requests on a stream that holds back what is written: the first one is, the second one waits. */
async function triedWhileBlocked(a: Pair['a'], stream: ReturnType<Pair['connect']>): Promise<RequestOutcome[]> {
  const outcomes: RequestOutcome[] = [];
  const settle = (outcome: RequestOutcome) => outcomes.push(outcome);
  await until('the stream takes requests', () => stream.a.takesCalls);
  stream.toB.isHeld = true;
  for (const name of ['/first', '/second']) assert.notEqual(a.tryRequest(request(name), settle), undefined);
  await turn();
  await turn();
  assert.deepEqual(outcomes, []);
  return outcomes;
}

function described(outcome: RequestOutcome): string {
  return outcome.kind === 'replied' ? 'replied' : `${outcome.reason} ${outcome.processed}`;
}
