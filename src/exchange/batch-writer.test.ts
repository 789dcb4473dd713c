import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Fifo } from '../lifecycle/fifo.ts';
import { BatchReader, type RecordListener } from './batch-reader.ts';
import { type BatchContent, BatchWriter, type Grant } from './batch-writer.ts';
import { OutboundQueue } from './outbound-queue.ts';
import { FULL_BATCH_BYTES, OutgoingRecord, PRIORITY_INDEXES, RECORD } from './record.ts';

/** What comes before a batch: the number and length of a field of protobuf, 4 bytes, and before that the head of gRPC. */
const BEFORE_IT_BYTES = 4 + 5;
/** What HTTP/2 lets a stream send before it hears more. */
const WINDOW_BYTES = 65_535;
/** More than all that may come on top of a full batch. */
const AROUND = 60;

describe('a full batch', () => {
  it('says that it is the last one, wherever the last record ends, and fits into the first window of a stream', () => {
    for (let size = FULL_BATCH_BYTES - AROUND; size <= FULL_BATCH_BYTES; size += 1) {
      const writer = new BatchWriter();
      const queue = new OutboundQueue();
      queue.push(new OutgoingRecord(RECORD.reply, 1, 1, '', undefined, Buffer.alloc(FULL_BATCH_BYTES + size)));
      const first = writer.write(contentOf(queue, { takes: 'queue' }));
      const second = writer.write(contentOf(queue, { takes: 'begun' }));
      const third = writer.lastWritten ? undefined : writer.write(contentOf(queue, { takes: 'begun' }));
      assert.deepEqual(read([first, second, third]), { replies: 1, failures: 0, grants: 0, lasts: 1 }, `${size} bytes`);
    }
  });

  it('says what has arrived, however many refusals are in it', () => {
    for (let size = 0; size <= AROUND; size += 1) {
      const refusals = new Fifo<OutgoingRecord>();
      for (const bytes of [FULL_BATCH_BYTES - AROUND, size])
        refusals.push(new OutgoingRecord(RECORD.failure, 1, 1, '', undefined, Buffer.alloc(bytes, 'd'), [0, 0]));
      const writer = new BatchWriter();
      const grants = () => PRIORITY_INDEXES.map((priority): Grant => ({ priority, received: 1, granted: 1 }));
      const batches: (Buffer | undefined)[] = [];
      do batches.push(writer.write(contentOf(new OutboundQueue(), { takes: 'last', refusals, grants })));
      while (!writer.lastWritten);
      assert.deepEqual(read(batches), { replies: 0, failures: 2, grants: 3, lasts: 1 }, `${size} bytes`);
    }
  });
});

function contentOf(queue: OutboundQueue, content: Pick<BatchContent, 'takes'> & Partial<BatchContent>): BatchContent {
  return {
    queue,
    refusals: new Fifo(),
    grants: () => [],
    mayBegin: () => true,
    onBegun: () => {},
    onWritten: () => {},
    onLast: () => {},
    ...content,
  };
}

function read(batches: readonly (Buffer | undefined)[]) {
  const told = { replies: 0, failures: 0, grants: 0, lasts: 0 };
  const tell = (what: keyof typeof told) => {
    told[what] += 1;
  };
  const listener: RecordListener = {
    request: () => assert.fail(),
    message: () => assert.fail(),
    cancel: () => assert.fail(),
    oversized: () => assert.fail(),
    reply: () => tell('replies'),
    failure: () => tell('failures'),
    grant: () => tell('grants'),
    last: () => tell('lasts'),
  };
  const reader = new BatchReader(listener, 3 * FULL_BATCH_BYTES);
  for (const batch of batches.filter(each => each !== undefined)) {
    assert.ok(batch.length + BEFORE_IT_BYTES <= WINDOW_BYTES);
    reader.read(batch);
  }
  return told;
}
