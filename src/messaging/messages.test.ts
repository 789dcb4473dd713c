import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoopbackNode, loopback } from '../../test/kit/loopback-node.ts';
import { helloOf, RawDialler } from '../../test/kit/raw-peer.ts';
import { until } from '../../test/kit/until.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { PeerStreamsOptions } from './peer-parts.ts';

const NOTHING = Buffer.alloc(0);
const HELLO = Buffer.from('hello');

/** Two nodes, of which the first dials the second. */
async function nodes(a: Partial<PeerStreamsOptions> = {}, b: Partial<PeerStreamsOptions> = {}) {
  const [one, two] = await Promise.all([
    LoopbackNode.start({ name: 'node-a', options: a }),
    LoopbackNode.start({ name: 'node-b', options: b }),
  ]);
  one.knows({ name: 'node-b', address: two.address }).streams.start();
  two.knows({ name: 'node-a', address: one.address });
  return {
    a: one,
    b: two,
    [Symbol.asyncDispose]: async () => {
      await one[Symbol.asyncDispose]();
      await two[Symbol.asyncDispose]();
    },
  };
}

/** How a message failed, in words. */
async function failureOf(sent: Promise<unknown>): Promise<string> {
  const error = await sent.then(
    () => assert.fail('it did not fail'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SelvedgeError && error.code === 'message_failed', String(error));
  const { reason, safeToRetry } = error.facts as { reason: string; safeToRetry: boolean };
  return `${reason}${safeToRetry ? ', safe to retry' : ''}`;
}

test('a request is answered by the handler of its kind, that hears who asks and how', async () => {
  await using pair = await nodes();
  const { a, b } = pair;
  b.messages.handle('greet', ({ kind, payload, from, priority, deadline, expectsReply }) => {
    assert.ok(deadline !== undefined && deadline.getTime() > Date.now() + 5_000);
    return Buffer.from(JSON.stringify([kind, payload.toString(), from, priority, expectsReply]));
  });
  const reply = await a.messages.request('node-b', 'greet', HELLO, { priority: 'high' });
  assert.deepEqual(JSON.parse(reply.toString()), ['greet', 'hello', 'node-a', 'high', true]);
});

test('each way to fail says why, and whether it is safe to send it again', async () => {
  const messages = { maxMessageBytes: 100_000, queueBytes: 300_000, windowBytes: 100_000 };
  await using pair = await nodes({ messages }, { messages });
  const { a, b } = pair;
  b.messages.handle('fails', () => {
    throw new Error('no');
  });
  b.messages.handle('fails-later', () => Promise.reject(new Error('no')));
  b.messages.handle('answers-much', () => Buffer.alloc(100_001));
  b.messages.handle('never-answers', () => new Promise(() => {}));
  const failed = (kind: string, payload = NOTHING, timeoutMs = 10_000) =>
    failureOf(a.messages.request('node-b', kind, payload, { timeoutMs }));
  assert.equal(await failed('unheard-of'), 'no_handler, safe to retry');
  assert.equal(await failureOf(a.messages.send('node-b', 'unheard-of', NOTHING)), 'no_handler, safe to retry');
  assert.equal(await failed('fails'), 'handler_failed');
  assert.equal(await failed('fails-later'), 'handler_failed');
  assert.equal(await failed('answers-much'), 'reply_too_large');
  assert.equal(await failed('fails', Buffer.alloc(100_001)), 'too_large, safe to retry');
  assert.equal(await failed('never-answers', NOTHING, 20), 'deadline_exceeded');
  b.guards = () => undefined;
  assert.equal(await failed('fails'), 'declined, safe to retry');
});

test('what a handler returns that is no bytes fails its request, and nothing else', async () => {
  await using pair = await nodes();
  const { a, b } = pair;
  const wrong: unknown[] = ['text'.repeat(50_000), 5, {}, [1, 2, 3], Promise.resolve('text'), Promise.resolve({})];
  for (const [index, reply] of wrong.entries()) b.messages.handle(`wrong-${index}`, () => reply as Uint8Array);
  // biome-ignore lint/suspicious/noThenProperty: what a library of promises returns.
  b.messages.handle('thenable', () => ({ then: (resolve: (reply: Buffer) => void) => resolve(HELLO) }) as never);
  for (const index of wrong.keys())
    assert.equal(await failureOf(a.messages.request('node-b', `wrong-${index}`, NOTHING)), 'handler_failed');
  assert.deepEqual(await a.messages.request('node-b', 'thenable', NOTHING), HELLO);
});

test('a kind, payload or option that is none is a mistake of who sends', async () => {
  await using pair = await nodes();
  const { messages } = pair.a;
  for (const kind of ['', 'Kind', 'a/b', 'x'.repeat(65)]) {
    await assert.rejects(messages.request('node-b', kind, NOTHING), TypeError);
    assert.throws(() => messages.handle(kind, () => {}), TypeError);
  }
  for (const payload of ['text', undefined, [1], new ArrayBuffer(3)])
    await assert.rejects(messages.request('node-b', 'kind', payload as never), TypeError);
  for (const timeoutMs of [Number.NaN, '5'])
    await assert.rejects(messages.request('node-b', 'kind', NOTHING, { timeoutMs: timeoutMs as never }), TypeError);
  await assert.rejects(messages.request('node-b', 'kind', NOTHING, { priority: 'low' as never }), TypeError);
  messages.handle('kind', () => {});
  assert.throws(() => messages.handle('kind', () => {}), /have a handler/);
});

test('handlers that fail for as long as a peer asks fill no log', async () => {
  await using pair = await nodes();
  const { a, b } = pair;
  b.messages.handle('fails', () => {
    throw new Error('no');
  });
  const failures = Array.from({ length: 200 }, () => failureOf(a.messages.request('node-b', 'fails', NOTHING)));
  await Promise.all(failures);
  assert.equal(b.logged('message.handler_failed').length, 5);
});

test('who gives up a request is told at once, and so is its handler, also where it asks late', async () => {
  await using pair = await nodes();
  const { a, b } = pair;
  const heard: string[] = [];
  let cancelled = false;
  b.messages.handle('waits', async message => {
    message.signal.addEventListener('abort', () => heard.push('aborted'));
    heard.push('served');
    await new Promise(() => {});
  });
  b.messages.handle('looks-late', async message => {
    heard.push('served late');
    await until('it is given up', () => cancelled);
    heard.push(`late: ${message.signal.aborted}`);
  });
  const given = new AbortController();
  const waits = failureOf(a.messages.request('node-b', 'waits', NOTHING, { signal: given.signal }));
  const late = failureOf(a.messages.request('node-b', 'looks-late', NOTHING, { signal: given.signal }));
  await until('both are served', () => heard.length === 2);
  given.abort();
  assert.equal(await waits, 'cancelled');
  assert.equal(await late, 'cancelled');
  await until('its handler hears of it', () => heard.includes('aborted'));
  cancelled = true;
  await until('the other one hears of it', () => heard.includes('late: true'));
  const before = failureOf(a.messages.request('node-b', 'waits', NOTHING, { signal: given.signal }));
  assert.equal(await before, 'cancelled, safe to retry');
});

test('a message is taken when a handler has it, whatever becomes of it there', async () => {
  await using pair = await nodes();
  const { a, b } = pair;
  const taken: string[] = [];
  b.messages.handle('note', ({ payload, expectsReply, deadline }) => {
    assert.deepEqual([expectsReply, deadline], [false, undefined]);
    taken.push(payload.toString());
    throw new Error('no');
  });
  await a.messages.send('node-b', 'note', HELLO);
  assert.deepEqual(taken, ['hello']);
  const deliveries = await a.messages.publish({ labels: {} }, 'note', HELLO);
  assert.deepEqual(deliveries, [{ node: 'node-b', error: undefined }]);
  const [lost] = await a.messages.publish({ labels: {} }, 'unheard-of', HELLO);
  assert.equal(lost?.error?.code, 'message_failed');
});

test('what is no message is said also where nobody would get it, and options may be left undefined', async () => {
  await using alone = await LoopbackNode.start({ name: 'node-a' });
  const { messages } = alone;
  assert.deepEqual(
    await messages.publish({ labels: {} }, 'note', HELLO, { signal: undefined, timeoutMs: undefined }),
    [],
  );
  await assert.rejects(messages.publish({ labels: {} }, 'No Kind', HELLO), TypeError);
  await assert.rejects(messages.publish({ labels: {} }, 'note', 'text' as unknown as Buffer), TypeError);
  await assert.rejects(messages.publish({ labels: {} }, 'note', HELLO, { timeoutMs: Number.NaN }), TypeError);
});

test('payloads of several MiB do not hold up what is more urgent', async () => {
  await using pair = await nodes();
  const { a, b } = pair;
  const ends: string[] = [];
  b.messages.handle('echo', ({ payload }) => payload);
  await a.messages.request('node-b', 'echo', HELLO);
  const large = Buffer.alloc(4_000_000, 'x');
  const bulk = [1, 2, 3].map(async () => {
    const reply = await a.messages.request('node-b', 'echo', large, { priority: 'bulk', timeoutMs: 60_000 });
    assert.ok(reply.equals(large));
    ends.push('bulk');
  });
  for (let i = 0; i < 5; i += 1) {
    await a.messages.request('node-b', 'echo', HELLO, { priority: 'high' });
    ends.push('high');
  }
  await Promise.all(bulk);
  assert.deepEqual(ends.slice(0, 3), ['high', 'high', 'high']);
});

test('a peer of an older version leaves messages waiting until their deadline, safe to send again', async () => {
  await using node = await LoopbackNode.start({ name: 'node-a' });
  node.knows({ name: 'node-b', address: loopback(9) });
  using peer = new RawDialler(node.port).read();
  peer.call.write(helloOf('node-b', {}, 2));
  await until('it is connected', () => node.peer('node-b')?.state === 'connected');
  const failed = failureOf(node.messages.request('node-b', 'kind', NOTHING, { timeoutMs: 50 }));
  assert.equal(await failed, 'deadline_exceeded, safe to retry');
  assert.equal(node.streams.exchanges.with('node-b').queue.requestBytes(1), 0);
  assert.ok(peer.frames.every(({ body }) => body !== 'batch'));
});

test('a peer that does not read costs its sender a bounded queue, and others nothing', async () => {
  const messages = { maxMessageBytes: 100_000, queueBytes: 500_000, windowBytes: 2 ** 30 };
  await using pair = await nodes({ messages }, { messages });
  const { a, b } = pair;
  b.messages.handle('echo', ({ payload }) => payload);
  a.knows({ name: 'node-b', address: b.address }, { name: 'node-c', address: loopback(9) });
  using mute = new RawDialler(a.port);
  mute.call.write(helloOf('node-c', {}, 3));
  await until('it is connected', () => a.peer('node-c')?.state === 'connected');
  // It reads one frame and what fits into its buffers, and grants whatever is asked for.
  mute.call.once('data', () => void mute.call.pause());
  mute.call.write({ batch: Buffer.from([7 | (1 << 4), 0, 0, 0, 8, 0, 0, 0, 0, 0x3f, 0xff, 0xff, 0xff]) });
  const payload = Buffer.alloc(100_000);
  const reasons: string[] = [];
  const sent: Promise<void>[] = [];
  await until('its queue is full', async () => {
    sent.push(failureOf(a.messages.request('node-c', 'echo', payload)).then(reason => void reasons.push(reason)));
    await a.messages.request('node-b', 'echo', HELLO);
    return reasons.length > 0;
  });
  assert.equal(reasons[0], 'queue_full, safe to retry');
  assert.ok(a.streams.exchanges.with('node-c').queue.requestBytes(1) <= 500_000);
  mute.call.cancel();
  await Promise.race([Promise.all(sent), until('those that were written fail', () => reasons.includes('stream_lost'))]);
  assert.deepEqual(await a.messages.request('node-b', 'echo', HELLO), HELLO);
});

test('a stream that takes the place of another one under load loses nothing', async () => {
  await using pair = await nodes();
  const { a, b } = pair;
  const served: number[] = [];
  b.messages.handle('count', async ({ payload }) => {
    served.push(payload.readUInt32BE());
    await Promise.resolve();
    return payload;
  });
  await a.messages.request('node-b', 'count', Buffer.alloc(4));
  served.length = 0;
  const sent: Promise<Buffer>[] = [];
  for (let round = 0; round < 30; round += 1) {
    for (let i = 0; i < 20; i += 1) {
      const payload = Buffer.alloc(3_000);
      payload.writeUInt32BE(sent.length);
      sent.push(a.messages.request('node-b', 'count', payload, { timeoutMs: 60_000 }));
    }
    if (round % 10 === 5) a.streams.retireWhere(() => true, 'credentials_rotated');
    if (round % 10 === 9) b.streams.retireWhere(() => true, 'credentials_rotated');
    await sent.at(-1);
  }
  const replies = await Promise.all(sent);
  assert.deepEqual(
    replies.map(reply => reply.readUInt32BE()),
    [...sent.keys()],
  );
  assert.deepEqual(served, [...sent.keys()]);
});

test('a node that closes fails what it waits for, and its peer what it was asked', async () => {
  await using pair = await nodes();
  const { a, b } = pair;
  let served = 0;
  for (const { messages } of [a, b])
    messages.handle('waits', () => {
      served += 1;
      return new Promise(() => {});
    });
  await assert.rejects(a.messages.request('node-b', 'unheard-of', NOTHING));
  a.knows({ name: 'node-b', address: b.address }, { name: 'node-c', address: loopback(9) });
  const own = failureOf(a.messages.request('node-b', 'waits', NOTHING));
  const waiting = failureOf(a.messages.request('node-c', 'waits', NOTHING));
  const peers = failureOf(b.messages.request('node-a', 'waits', NOTHING));
  await until('both are served', () => served === 2);
  await a.streams.close();
  assert.equal(await own, 'stream_lost');
  assert.equal(await waiting, 'node_closed, safe to retry');
  assert.equal(await peers, 'stream_lost');
});

test('a node that drains answers what it was asked before it says goodbye', async () => {
  await using pair = await nodes();
  const { a, b } = pair;
  const waiting: (() => void)[] = [];
  const large = Buffer.alloc(1_000_000, 'x');
  b.messages.handle('waits', () => new Promise(resolve => waiting.push(() => resolve(large))));
  const replies = [1, 2, 3].map(() => a.messages.request('node-b', 'waits', HELLO, { timeoutMs: 60_000 }));
  await until('they are served', () => waiting.length === 3);
  const closed = b.streams.exchanges.settled(60_000).then(() => b.streams.close('node_draining'));
  for (const answer of waiting) answer();
  for (const reply of await Promise.all(replies)) assert.ok(reply.equals(large));
  await closed;
});

test('what is never answered keeps a node that drains for its grace and no longer', async () => {
  await using pair = await nodes();
  const { a, b } = pair;
  let served = false;
  b.messages.handle('waits', () => {
    served = true;
    return new Promise(() => {});
  });
  const failed = failureOf(a.messages.request('node-b', 'waits', NOTHING));
  await until('it is served', () => served);
  await b.streams.exchanges.settled(20);
  await b.streams.close('node_draining');
  assert.equal(await failed, 'stream_lost');
});
