import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { OutboundQueue } from './outbound-queue.ts';
import { OutgoingRecord, type PriorityIndex, RECORD } from './record.ts';

const ANY = () => true;

function message(priority: PriorityIndex, id: number, bytes = 10): OutgoingRecord {
  return new OutgoingRecord(RECORD.message, priority, id, 'kind', new Uint8Array(0), new Uint8Array(bytes));
}

/** Takes one record out as a batch would. */
function take(queue: OutboundQueue, mayBegin: (priority: PriorityIndex) => boolean = ANY): OutgoingRecord | undefined {
  const record = queue.next(mayBegin);
  if (record !== undefined) queue.written(record);
  return record;
}

test('records leave by priority, those of one in their order, answers before requests', () => {
  const queue = new OutboundQueue();
  for (const priority of [2, 1, 0] as const) for (const id of [1, 2]) queue.push(message(priority, 10 * priority + id));
  queue.push(new OutgoingRecord(RECORD.cancel, 1, 19));
  queue.beginBatch();
  const ids = Array.from({ length: 8 }, () => take(queue)?.id);
  assert.deepEqual(ids, [1, 2, 19, 11, 12, 21, 22, undefined]);
  assert.deepEqual(
    [0, 1, 2].map(priority => queue.requestBytes(priority as PriorityIndex)),
    [0, 0, 0],
  );
  assert.equal(queue.answerBytes(1), 0);
});

test('each lower priority goes first in one batch of eight, however much of the others there is', () => {
  const queue = new OutboundQueue();
  for (const priority of [0, 1, 2] as const) for (let id = 0; id < 100; id += 1) queue.push(message(priority, id));
  const first = Array.from({ length: 16 }, () => {
    queue.beginBatch();
    return take(queue)?.priority;
  });
  assert.equal(first.filter(priority => priority === 1).length, 2);
  assert.equal(first.filter(priority => priority === 2).length, 2);
});

test('what is begun is finished before another one of its priority, and is not dropped', () => {
  const queue = new OutboundQueue();
  const large = message(1, 1);
  queue.push(large);
  large.bytesWritten = 5;
  queue.begun(large);
  queue.push(new OutgoingRecord(RECORD.reply, 1, 2));
  assert.equal(queue.drop(large), false);
  assert.equal(take(queue), large);
  assert.equal(take(queue)?.id, 2);
});

test('a queue that does not move holds no more of what was dropped than of what waits', async () => {
  const queue = new OutboundQueue();
  queue.push(message(1, 0));
  const payloads: WeakRef<Uint8Array>[] = [];
  for (let id = 1; id <= 1_000; id += 1) {
    const record = message(1, id);
    payloads.push(new WeakRef(record.payload));
    queue.push(record);
    queue.drop(record);
  }
  // A weak reference holds what it means until the end of the turn.
  await setImmediate();
  collectGarbage();
  assert.ok(payloads.filter(payload => payload.deref() !== undefined).length < 100);
  assert.equal(take(queue)?.id, 0);
  assert.equal(take(queue), undefined);
});

test('what is dropped twice is counted once', () => {
  const queue = new OutboundQueue();
  const [first, second] = [message(1, 1), message(1, 2)];
  for (const record of [first, second]) queue.push(record);
  assert.ok(queue.drop(first) && queue.drop(first));
  assert.equal(queue.requestBytes(1), second.cost);
});

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
