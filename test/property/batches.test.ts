import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { BatchReader, MalformedBatch, type RecordListener } from '../../src/exchange/batch-reader.ts';
import { BatchWriter } from '../../src/exchange/batch-writer.ts';
import { OutboundQueue } from '../../src/exchange/outbound-queue.ts';
import {
  FULL_BATCH_BYTES,
  MAX_BATCH_BYTES,
  OutgoingRecord,
  PRIORITY_INDEXES,
  type PriorityIndex,
  RECORD,
  type RecordType,
} from '../../src/exchange/record.ts';
import { Fifo } from '../../src/lifecycle/fifo.ts';

const MOST = 300_000;
const SIZES = [0, 1, 5, 200, 1_023, 1_024, 1_025, 5_000, 64_000, 65_500, 65_536, 65_537, 131_000, 250_000];

const recordShape = fc.record({
  type: fc.constantFrom<RecordType>(RECORD.request, RECORD.message, RECORD.reply, RECORD.failure, RECORD.cancel),
  priority: fc.constantFrom<PriorityIndex>(0, 1, 2),
  name: fc.oneof(
    fc.constantFrom('a', 'b', '/test.Echo/Echo', 'x'.repeat(255), 'ü€😀'.repeat(20)),
    fc.nat(3_000).map(number => `kind-${number}`),
  ),
  header: fc.constantFrom(0, 0, 0, 1, 300, 65_535),
  size: fc.oneof(fc.constantFrom(...SIZES), fc.constantFrom(0, 1, 20, 128)),
  reason: fc.tuple(fc.nat(11), fc.nat(2)),
});
type Shape = typeof recordShape extends fc.Arbitrary<infer T> ? T : never;

/** What a listener was told, in words. */
class Told implements RecordListener {
  readonly records: string[][] = [[], [], []];
  readonly cancels: number[] = [];
  lasts = 0;
  held = 0;

  request(priority: PriorityIndex, id: number, timeoutMs: number, name: string, header: Buffer, payload: Buffer): void {
    this.#add(priority, `request ${id} ${timeoutMs} ${name} ${digest(header)} ${digest(payload)}`);
  }

  message(priority: PriorityIndex, id: number, name: string, payload: Buffer): void {
    this.#add(priority, `message ${id} ${name} ${digest(payload)}`);
  }

  reply(priority: PriorityIndex, id: number, header: Buffer, payload: Buffer): void {
    this.#add(priority, `reply ${id} ${digest(header)} ${digest(payload)}`);
  }

  failure(priority: PriorityIndex, id: number, reason: number, processed: number, detail: string): void {
    this.#add(priority, `failure ${id} ${reason} ${processed} ${detail.length}`);
  }

  cancel(id: number): void {
    this.cancels.push(id);
  }

  grant(): void {}

  last(): void {
    this.lasts += 1;
  }

  oversized(type: RecordType, priority: PriorityIndex, id: number): void {
    this.#add(priority, `oversized ${type} ${id}`);
  }

  #add(priority: PriorityIndex, words: string): void {
    this.records[priority]?.push(words);
  }
}

function digest(bytes: Uint8Array): string {
  let sum = bytes.length;
  for (let at = 0; at < bytes.length; at += 97) sum = (sum * 31 + (bytes[at] ?? 0)) >>> 0;
  return `${bytes.length}/${sum}/${bytes.at(-1) ?? ''}`;
}

function filled(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size, seed & 0xff);
  if (size > 0) bytes[size - 1] = (seed * 7) & 0xff;
  return bytes;
}

function recordOf({ type, priority, name, header, size, reason }: Shape, id: number): OutgoingRecord {
  const hasHeader = type === RECORD.request || type === RECORD.reply;
  const isShort = type === RECORD.failure || type === RECORD.cancel;
  const payload = type === RECORD.cancel ? 0 : isShort ? Math.min(size, 200) : size;
  return new OutgoingRecord(
    type,
    priority,
    id,
    type <= RECORD.message ? name : '',
    filled(hasHeader ? header : 0, id),
    type === RECORD.failure ? Buffer.alloc(payload, 'd') : filled(payload, id),
    type === RECORD.failure ? [reason[0], reason[1]] : undefined,
  );
}

function inWords({ type, id, name, header, payload, failure }: OutgoingRecord): string {
  if (type === RECORD.request) return `request ${id} 0 ${name} ${digest(header)} ${digest(payload)}`;
  if (type === RECORD.message) return `message ${id} ${name} ${digest(payload)}`;
  if (type === RECORD.reply) return `reply ${id} ${digest(header)} ${digest(payload)}`;
  return `failure ${id} ${failure?.[0]} ${failure?.[1]} ${payload.length}`;
}

/** One stream of one direction. */
class Line {
  readonly queue = new OutboundQueue();
  readonly batches: Buffer[] = [];
  readonly #writer = new BatchWriter();
  readonly written: OutgoingRecord[] = [];

  write(takes: 'queue' | 'begun' = 'queue'): boolean {
    const batch = this.#writer.write({
      takes,
      queue: this.queue,
      refusals: new Fifo(),
      grants: () => [],
      mayBegin: () => true,
      onBegun: () => {},
      onWritten: record => void this.written.push(record),
      onLast: () => {},
    });
    if (batch === undefined) return false;
    assert.ok(batch.length <= FULL_BATCH_BYTES + 44);
    this.batches.push(batch);
    return true;
  }
}

test('what is written is told, of each priority in the order in which it was written', () => {
  fc.assert(
    fc.property(fc.array(fc.array(recordShape, { maxLength: 8 }), { maxLength: 6 }), fc.boolean(), (bursts, leaves) => {
      const line = new Line();
      let id = 0;
      const cancelled: number[] = [];
      for (const burst of bursts) {
        for (const shape of burst) {
          id += 1;
          if (shape.type === RECORD.cancel) cancelled.push(id);
          line.queue.push(recordOf(shape, id));
        }
        line.write();
      }
      while (line.queue.next(() => true) !== undefined) line.write();
      if (leaves) line.write('begun');
      const told = new Told();
      const reader = new BatchReader(told, MOST + 65_536);
      for (const batch of line.batches) reader.read(batch);
      for (const priority of PRIORITY_INDEXES)
        assert.deepEqual(
          told.records[priority],
          line.written.filter(each => each.priority === priority && each.type !== RECORD.cancel).map(inWords),
        );
      assert.deepEqual(new Set(told.cancels), new Set(cancelled));
      assert.equal(line.written.length, id);
      assert.equal(told.lasts, leaves ? 1 : 0);
      for (const priority of PRIORITY_INDEXES)
        assert.deepEqual([line.queue.requestBytes(priority), line.queue.answerBytes(priority)], [0, 0]);
    }),
    { numRuns: 150 },
  );
});

test('of the names beyond those that have a number each record holds its own', () => {
  const line = new Line();
  for (let id = 1; id <= 3_000; id += 1)
    line.queue.push(new OutgoingRecord(RECORD.message, 1, id, `kind-${id % 1_500}`, undefined, filled(3, id)));
  while (line.queue.next(() => true) !== undefined) line.write();
  const told = new Told();
  const reader = new BatchReader(told, MOST);
  for (const batch of line.batches) reader.read(batch);
  assert.deepEqual(told.records[1], line.written.map(inWords));
});

for (const most of [20_000, 70_000])
  test(`what is larger than ${most} bytes is told to be, and what comes after it is not lost`, () => {
    const line = new Line();
    for (const [id, size] of [10, 100_000, 10, 200_000, 10, 60_000].entries())
      line.queue.push(new OutgoingRecord(RECORD.request, 1, id, 'kind', undefined, filled(size, id)));
    while (line.queue.next(() => true) !== undefined) line.write();
    const told = new Told();
    const reader = new BatchReader(told, most);
    for (const batch of line.batches) reader.read(batch);
    assert.deepEqual(
      told.records[1]?.map(words => words.split(' ').slice(0, 2).join(' ')),
      [
        'request 0',
        'oversized 1',
        'request 2',
        'oversized 1',
        'request 4',
        most > 60_000 ? 'request 5' : 'oversized 1',
      ],
    );
  });

/** Some batches as a peer writes them, to be spoilt. */
function goodBatches(): readonly Buffer[] {
  const line = new Line();
  const shapes = fc.sample(recordShape, { numRuns: 12, seed: 5 });
  for (const [id, shape] of shapes.entries()) line.queue.push(recordOf({ ...shape, size: shape.size % 70_000 }, id));
  while (line.queue.next(() => true) !== undefined) line.write();
  line.write('begun');
  return line.batches;
}

test('whatever bytes come, they are told or refused as malformed', () => {
  const good = goodBatches();
  const change = fc.record({
    batch: fc.nat(good.length - 1),
    at: fc.oneof(fc.nat(64), fc.nat(65_535)),
    how: fc.constantFrom('flip', 'cut', 'repeat', 'insert'),
    byte: fc.oneof(fc.nat(255), fc.constantFrom(0x41, 0x51, 0x01, 0xff, 0x00)),
  });
  const spoilt = fc.tuple(fc.array(change, { minLength: 1, maxLength: 5 }), fc.nat(3)).map(([changes]) => {
    const batches = good.map(batch => Buffer.from(batch));
    for (const { batch, at, how, byte } of changes) {
      const bytes = batches[batch] ?? Buffer.alloc(0);
      const place = at % Math.max(bytes.length, 1);
      if (how === 'flip') bytes[place] = byte;
      else if (how === 'cut') batches[batch] = bytes.subarray(0, place);
      else if (how === 'repeat') batches.splice(batch, 0, bytes);
      else batches[batch] = Buffer.concat([bytes.subarray(0, place), Buffer.from([byte]), bytes.subarray(place)]);
    }
    return batches;
  });
  const alone = fc.array(fc.uint8Array({ maxLength: 60 }).map(Buffer.from), { maxLength: 3 });
  fc.assert(
    fc.property(fc.oneof(spoilt, alone), batches => {
      const reader = new BatchReader(new Told(), 100_000);
      for (const batch of batches) {
        // What is read beyond the end shows: the bytes after it are none that a head may begin with.
        const room = Buffer.alloc(batch.length + 64, 0xee);
        batch.copy(room, 8);
        try {
          reader.read(room.subarray(8, 8 + batch.length));
        } catch (error) {
          assert.ok(error instanceof MalformedBatch, String(error));
          return;
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

/** A record by hand. */
function record(head: number, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([Buffer.from([head]), length, body]);
}

test('peers that do not keep to the framing are told apart from those that do', () => {
  const body = (size: number) => Buffer.alloc(size);
  const name = (number: number, text: string) => {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16BE(number);
    return record(RECORD.name, Buffer.concat([bytes, Buffer.from(text)]));
  };
  const malformed: Record<string, Buffer> = {
    'a batch that is too large': body(MAX_BATCH_BYTES + 1),
    'half a head': Buffer.from([1, 0, 0]),
    'a record longer than its batch': Buffer.from([1, 0, 0, 1, 0]),
    'a type that is none': record(9, body(12)),
    'a type of zero': record(0, body(12)),
    'a priority that is none': record(0x31, body(12)),
    'a reserved bit': record(0x81, body(12)),
    'a name out of its turn': name(2, 'kind'),
    'the same number again': Buffer.concat([name(1, 'a'), name(1, 'b')]),
    'a name that is too long': name(1, 'x'.repeat(256)),
    'a name that was never sent': record(RECORD.message, Buffer.from([0, 0, 0, 1, 0, 7])),
    'a header longer than its record': record(RECORD.reply, Buffer.from([0, 0, 0, 1, 0, 7, 1])),
    'an inline name longer than its record': record(RECORD.message, Buffer.from([0, 0, 0, 1, 0, 0, 9, 65])),
    'no inline name': record(RECORD.message, Buffer.from([0, 0, 0, 1, 0, 0])),
    'a grant in parts': record(RECORD.grant | 0x40, body(2_000)),
    'a part that is too small': record(RECORD.message | 0x40, body(1_023)),
    'a part of another record': Buffer.concat([record(0x42, body(2_000)), record(0x01, body(2_000))]),
    'a first part without the fields': record(RECORD.request | 0x40, body(8)),
  };
  for (const type of Object.values(RECORD).filter(each => each !== RECORD.last))
    malformed[`a record of type ${type} without its fields`] = record(type, body(1));
  for (const [what, batch] of Object.entries(malformed))
    assert.throws(() => new BatchReader(new Told(), MOST).read(batch), MalformedBatch, what);
});

test('of what comes in parts no more is held than one record of each priority may be', () => {
  const most = 50_000;
  const reader = new BatchReader(new Told(), most);
  const before = arrayBuffers();
  for (let round = 0; round < 400; round += 1)
    for (const priority of PRIORITY_INDEXES) {
      // A part of the least size in a batch that is full of something else.
      const part = record(RECORD.message | (priority << 4) | 0x40, Buffer.alloc(1_024));
      const filler = record(RECORD.failure | 0, Buffer.alloc(60_000));
      reader.read(Buffer.concat([part, filler]));
    }
  assert.ok(heldSince(before, 3 * most + 1_000_000) < 3 * most + 1_000_000);
});

/** Bytes that are held beyond `before`; what others let go takes its time, so it is looked at more than once. */
function heldSince(before: number, enough: number): number {
  let held = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 20 && held >= enough; look += 1) held = arrayBuffers() - before;
  return held;
}

function arrayBuffers(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().arrayBuffers;
}

test('what is too large is refused also where it comes in one piece', () => {
  const line = new Line();
  line.queue.push(new OutgoingRecord(RECORD.message, 1, 1, 'kind', undefined, filled(60_000, 1)));
  line.write();
  const told = new Told();
  for (const batch of line.batches) new BatchReader(told, 20_000).read(batch);
  assert.deepEqual(told.records[1], ['oversized 2 1']);
});
