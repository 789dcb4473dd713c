import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { exchangePair, inWords, post } from '../../test/kit/exchange-pair.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import { MalformedBatch } from './batch-reader.ts';
import type { InboundRequest } from './inbound-request.ts';
import { PeerExchange } from './peer-exchange.ts';
import { RECORD } from './record.ts';
import type { RequestOutcome } from './request-route.ts';

const NOTHING = Buffer.alloc(0);
const LIMITS = { maxMessageBytes: 100_000, queueBytes: 1_000_000, windowBytes: 100_000 };
const ALL = { takesCalls: () => true, takesMessages: () => true };

/** Numbers of 1, 2 and 4 bytes, and what is bytes already. */
type Field = Buffer | readonly [number, 1 | 2 | 4];

function bytesOf(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.map(field => {
      if (Buffer.isBuffer(field)) return field;
      const bytes = Buffer.alloc(field[1]);
      bytes.writeUIntBE(field[0], 0, field[1]);
      return bytes;
    }),
  );
}

function record(type: number, ...fields: readonly Field[]): Buffer {
  const body = bytesOf(fields);
  return bytesOf([[type | (1 << 4), 1], [body.length, 4], body]);
}

const message = (id: number, payload = NOTHING) =>
  record(RECORD.message, [id, 4], [0, 2], [1, 1], Buffer.from('k'), payload);
const request = (id: number, payload = NOTHING, timeoutMs = 0) =>
  record(RECORD.request, [id, 4], [timeoutMs, 4], [0, 2], [0, 2], [1, 1], Buffer.from('k'), payload);
const grant = (received: number, granted: number) => record(RECORD.grant, [received, 4], [granted, 4]);
const reply = (id: number, payload = NOTHING) => record(RECORD.reply, [id, 4], [0, 2], payload);
const cancelOf = (id: number) => record(RECORD.cancel, [id, 4]);
const filler = record(RECORD.failure, [9, 4], [0, 1], [0, 1], Buffer.alloc(60_000));

/** A node whose peer sends and reads what the test says. */
function attacked(serve: (request: InboundRequest) => void = () => {}, limits: Partial<typeof LIMITS> = {}) {
  const exchange = new PeerExchange({
    limits: { ...LIMITS, ...limits },
    serve,
    demand: () => {},
    printable: text => text,
  });
  const written: Buffer[] = [];
  const pipe = {
    write: (batch: Buffer, done: () => void) => {
      written.push(batch);
      setImmediate(done);
    },
  };
  const open = () => {
    const stream = exchange.attach(pipe, {} as StreamGuard, ALL, 1);
    return { stream, send: (...records: Buffer[]) => stream.receive(Buffer.concat(records)) };
  };
  return { exchange, written, open, ...open() };
}

/** What is held in buffers, when nothing more happens and what is not held is collected. */
async function heldBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let least = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 8; turn += 1) {
    await new Promise(resolve => setImmediate(resolve));
    collect();
    // What was collected is given back by another thread.
    least = Math.min(least, process.memoryUsage().arrayBuffers);
  }
  return least;
}

test('a peer that sends more than it was granted is not heard further', () => {
  const served: number[] = [];
  const { send } = attacked(({ id }) => void served.push(id));
  const large = Buffer.alloc(60_000);
  send(request(1, large));
  send(request(2, large));
  assert.throws(() => send(request(3, large)), MalformedBatch);
  assert.deepEqual(served, [1, 2]);
  const small = attacked();
  assert.throws(() => {
    for (let id = 1; id < 2_000; id += 1) small.send(message(id));
  }, MalformedBatch);
});

test('a peer that says that more has arrived than was sent, or takes a grant back, is not heard further', () => {
  assert.throws(() => attacked().send(grant(1, 5_000)), MalformedBatch);
  const { send } = attacked();
  send(grant(0, 5_000));
  send(grant(0, 5_000));
  assert.throws(() => send(grant(0, 4_999)), MalformedBatch);
});

test('of a peer that reads no answers only so many are held in mind, then it is not heard further', async () => {
  let served = 0;
  const limits = { windowBytes: 100_000_000, queueBytes: 100_000_000 };
  const { send, written } = attacked(incoming => {
    served += 1;
    incoming.reply(NOTHING, NOTHING);
  }, limits);
  send(grant(0, 1));
  const MANY = 8_192;
  const flood = async () => {
    for (let first = 1; ; first += MANY) {
      for (let id = first; id < first + MANY; id += 1) send(request(id));
      const seen = written.length;
      for (let turn = 0; turn < 20 || written.length > seen + turn; turn += 1)
        await new Promise(resolve => setImmediate(resolve));
    }
  };
  await assert.rejects(flood, MalformedBatch);
  assert.ok(served >= 65_536 && served <= 65_536 + MANY, `${served}`);
});

test('nor of one that reads none over the newer stream, and goes on asking over the older one', async () => {
  let served = 0;
  const limits = { windowBytes: 100_000_000, queueBytes: 100_000_000 };
  const { exchange, stream, send, open } = attacked(incoming => {
    served += 1;
    incoming.reply(NOTHING, NOTHING);
  }, limits);
  const turns = async () => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise(resolve => setImmediate(resolve));
  };
  send(grant(0, 1));
  send(request(1));
  await turns();
  const newer = open();
  newer.send(grant(0, 1));
  await turns();
  // The reply, and of the priority 0 that nothing more of this node comes.
  send(
    grant(1, 1),
    bytesOf([
      [RECORD.grant, 1],
      [8, 4],
      [1, 4],
      [0, 4],
    ]),
  );
  await turns();
  assert.ok(stream.hasLeft && newer.stream.isCurrent);
  const flood = async () => {
    for (let id = 2; ; id += 1) {
      send(request(id));
      if (id % 4_096 === 0) await turns();
    }
  };
  await assert.rejects(flood, MalformedBatch);
  assert.ok(served >= 65_536 && served <= 100_000, `${served}`);
  exchange.detach(newer.stream, 'lost');
});

test('of two requests with one id the first is nobodys any more', () => {
  const cancelled: Buffer[] = [];
  const running: InboundRequest[] = [];
  const { send, exchange } = attacked(incoming => {
    running.push(incoming);
    incoming.onCancel(() => void cancelled.push(incoming.payload));
  });
  send(request(7, Buffer.from('first')), request(7, Buffer.from('second')));
  assert.deepEqual(cancelled, [Buffer.from('first')]);
  for (const incoming of running) incoming.reply(NOTHING, NOTHING);
  exchange.takeTraffic();
  assert.equal(exchange.takeTraffic(), false);
});

test('answers to what was never asked change nothing', async () => {
  const { send, exchange } = attacked();
  send(grant(0, 50_000));
  const outcomes: RequestOutcome[] = [];
  const pending = post(exchange, {}, ended => void outcomes.push(ended));
  for (let round = 0; round < 1_000; round += 1) send(reply(pending.id + 1 + round), record(RECORD.cancel, [round, 4]));
  assert.equal(outcomes.length, 0);
  send(reply(pending.id, Buffer.from('yes')));
  send(reply(pending.id, Buffer.from('again')));
  assert.deepEqual(outcomes, [{ kind: 'replied', header: NOTHING, payload: Buffer.from('yes') }]);
});

test('of answers that a peer reads and never acknowledges nothing is held', async () => {
  const { send, exchange, written } = attacked(incoming => incoming.reply(NOTHING, Buffer.alloc(50_000)));
  send(grant(0, 50_000));
  const before = await heldBytes();
  for (let id = 1; id <= 1_000; id += 1) {
    send(request(id));
    await new Promise(resolve => setImmediate(resolve));
    written.length = 0;
  }
  written.length = 0;
  assert.ok((await heldBytes()) - before < 10_000_000);
  assert.equal(exchange.queue.answerBytes(1), 0);
});

test('a peer that does not read its answers gets no more than fit into the queue', async () => {
  const ends: string[] = [];
  const { send, exchange } = attacked(
    incoming => {
      incoming.reply(NOTHING, Buffer.alloc(90_000));
      ends.push('answered');
    },
    { queueBytes: 200_000, windowBytes: 10_000_000 },
  );
  for (let id = 1; id <= 100; id += 1) send(request(id));
  assert.equal(ends.length, 100);
  assert.ok(exchange.queue.answerBytes(1) < 200_000 + 100 * 200);
});

test('small requests that run for ever do not keep the batches in memory that they came in', async () => {
  const running: InboundRequest[] = [];
  const held: Buffer[] = [];
  const { send } = attacked(
    incoming => {
      running.push(incoming);
      held.push(incoming.payload);
    },
    { windowBytes: 1_000_000 },
  );
  const before = await heldBytes();
  for (let id = 1; id <= 2_500; id += 1) send(request(id, Buffer.from('small')), filler);
  const grown = (await heldBytes()) - before;
  assert.equal(held.length, 2_500);
  assert.ok(grown < 600 * 65_536, `${grown} bytes`);
  assert.ok(held.every(payload => payload.toString() === 'small'));
});

test('what was refused is told before a stream ends, however much it is, and is not sent again', async () => {
  const count = 7_000;
  const pair = exchangePair({ b: incoming => incoming.fail('no_handler') });
  const stream = pair.connect();
  const outcomes: string[] = [];
  for (let turn = 0; turn < 5; turn += 1) await new Promise(resolve => setImmediate(resolve));
  stream.toA.isHeld = true;
  for (let i = 0; i < count; i += 1) post(pair.a, {}, ended => void outcomes.push(inWords(ended)), true);
  for (let turn = 0; turn < 20; turn += 1) await new Promise(resolve => setImmediate(resolve));
  for (let batch = stream.b.takeLastBatch(); batch !== undefined; batch = stream.b.takeLastBatch())
    stream.toA.write(batch, () => {});
  pair.b.detach(stream.b, 'lost');
  stream.toA.release();
  pair.a.detach(stream.a, 'closed');
  assert.equal(outcomes.length, count);
  assert.ok(outcomes.every(outcome => outcome === 'no_handler no'));
  assert.equal(pair.a.queue.requestBytes(1), 0);
});

test('who opens one stream after the other can have no more than a few windows of requests running', async () => {
  const { open, send, exchange } = attacked(() => {}, { windowBytes: 10_000 });
  const others = [open(), open(), open(), open(), open(), open(), open(), open()];
  let id = 0;
  let taken = 0;
  await new Promise(resolve => setImmediate(resolve));
  // Each was granted a window, and says that it was the last one, so that it is not lost when the next is used.
  for (const { send: sendOver } of [{ send }, ...others]) {
    assert.throws(() => {
      sendOver(grant(0, 0));
      for (let sent = 0; sent < 1_000; sent += 1) {
        id += 1;
        sendOver(request(id));
        taken += 1;
      }
    }, MalformedBatch);
    sendOver(record(RECORD.last));
  }
  assert.ok(taken * 128 > 2 * 10_000 && taken * 128 < 4 * 10_000 + 128, `${taken} requests`);
  assert.equal(exchange.held.bytes(1), taken * 128);
});

test('what ran over a stream is given up with it, whether the peer granted anything or not', () => {
  const cancelled: number[] = [];
  const { send, exchange, stream } = attacked(incoming => incoming.onCancel(() => void cancelled.push(incoming.id)));
  send(request(1), request(2));
  exchange.detach(stream, 'lost');
  assert.deepEqual(cancelled, [1, 2]);
});

test('requests that are given up at once count for as long as their handlers run', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const running: InboundRequest[] = [];
  const { send, exchange } = attacked(incoming => void running.push(incoming), { windowBytes: 10_000 });
  assert.throws(() => {
    for (let id = 1; id < 1_000; id += 1) send(request(id), cancelOf(id));
  }, MalformedBatch);
  assert.ok(running.length * 128 <= 10_128, `${running.length} requests`);
  for (const incoming of running.splice(0, 40)) incoming.reply(NOTHING, NOTHING);
  assert.equal(exchange.held.bytes(1), running.length * 128);
  // Of those that never end it is not known whether they still run.
  const before = performance.now();
  t.mock.method(performance, 'now', () => before + 6_000);
  t.mock.timers.tick(6_000);
  assert.equal(exchange.held.bytes(1), 0);
});
