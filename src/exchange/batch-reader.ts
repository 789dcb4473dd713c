import {
  FIXED_BYTES,
  HEAD_BYTES,
  LEAST_PART_BYTES,
  MAX_BATCH_BYTES,
  MAX_NAME_BYTES,
  MAX_NUMBERED_NAMES,
  MORE,
  type PriorityIndex,
  RECORD,
  type RecordType,
} from './record.ts';

/** What a batch says, record for record. Buffers are views of the batch. */
export interface RecordListener {
  /** @param timeoutMs 0: no deadline. */
  request(priority: PriorityIndex, id: number, timeoutMs: number, name: string, header: Buffer, payload: Buffer): void;
  message(priority: PriorityIndex, id: number, name: string, payload: Buffer): void;
  reply(priority: PriorityIndex, id: number, header: Buffer, payload: Buffer): void;
  failure(priority: PriorityIndex, id: number, reason: number, processed: number, detail: string): void;
  cancel(id: number): void;
  grant(priority: PriorityIndex, received: number, granted: number): void;
  last(): void;
  /** A request, message or reply that is larger than it may be; of a reply it is the id of the request. */
  oversized(type: RecordType, priority: PriorityIndex, id: number, bytes: number): void;
}

/** The other side does not keep to the framing; the message holds nothing of what it sent. */
export class MalformedBatch extends Error {}

/** A record that arrives in parts. */
interface Assembly {
  readonly type: RecordType;
  readonly parts: Buffer[];
  size: number;
  /** Of what is too large only this is kept. */
  readonly id: number;
}

const NOTHING = Buffer.alloc(0);

/**
 * Reads the batches of one stream, in one direction.
 *
 * R1. Of what arrives in parts at most one record of each priority is held, and of that no more than `maxBodyBytes`.
 * R2. Whatever the bytes are, it either tells what they say or throws {@link MalformedBatch}, and reads no byte that is
 *     not there.
 */
export class BatchReader {
  readonly #listener: RecordListener;
  readonly #maxBodyBytes: number;
  readonly #names: string[] = [''];
  readonly #assemblies: [Assembly | undefined, Assembly | undefined, Assembly | undefined] = [
    undefined,
    undefined,
    undefined,
  ];

  constructor(listener: RecordListener, maxBodyBytes: number) {
    this.#listener = listener;
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** @throws MalformedBatch; what came before the mistake was told. */
  read(batch: Buffer): void {
    if (batch.length > MAX_BATCH_BYTES) throw new MalformedBatch('a batch that is too large');
    let at = 0;
    while (at < batch.length) {
      if (batch.length - at < HEAD_BYTES) throw new MalformedBatch('a record without a whole head');
      const head = batch[at] ?? 0;
      const length = get32(batch, at + 1);
      const start = at + HEAD_BYTES;
      const end = start + length;
      if (end > batch.length) throw new MalformedBatch('a record that is longer than its batch');
      const type = head & 0x0f;
      const priority = (head >> 4) & 0x03;
      if (!isType(type) || !isPriority(priority) || head > 0x7f) throw new MalformedBatch('an unknown kind of record');
      const isPart = (head & MORE) !== 0 || this.#assemblies[priority] !== undefined;
      if (isPart && type <= RECORD.reply) this.#onPart(type, priority, batch, start, end, (head & MORE) !== 0);
      else if ((head & MORE) !== 0) throw new MalformedBatch('a record in parts that must be whole');
      else if (length > this.#maxBodyBytes && type <= RECORD.reply)
        this.#listener.oversized(type, priority, get32(batch, start), length);
      else this.#tell(type, priority, batch, start, end);
      at = end;
    }
  }

  #onPart(type: RecordType, priority: PriorityIndex, batch: Buffer, start: number, end: number, more: boolean): void {
    // A small part must not keep a large batch in memory.
    const view = batch.subarray(start, end);
    const part = more && view.length * 2 < batch.length ? Buffer.from(view) : view;
    let assembly = this.#assemblies[priority];
    if (assembly === undefined) {
      if (part.length < FIXED_BYTES[type]) throw new MalformedBatch('a first part without the fields');
      assembly = { type, parts: [], size: 0, id: get32(part, 0) };
      this.#assemblies[priority] = assembly;
    } else if (assembly.type !== type) throw new MalformedBatch('a part of another record');
    assembly.size += part.length;
    // Not only its bytes are held: very many small ones would cost a hundred times what was sent.
    if (part.length < LEAST_PART_BYTES && more) throw new MalformedBatch('a part that is too small');
    if (assembly.size > this.#maxBodyBytes) assembly.parts.length = 0;
    else assembly.parts.push(part);
    if (more) return;
    this.#assemblies[priority] = undefined;
    const { id, size, parts } = assembly;
    if (size > this.#maxBodyBytes) return this.#listener.oversized(type, priority, id, size);
    const body = Buffer.concat(parts, size);
    this.#tell(type, priority, body, 0, size);
  }

  #tell(type: RecordType, priority: PriorityIndex, bytes: Buffer, start: number, end: number): void {
    const listener = this.#listener;
    const after = start + FIXED_BYTES[type];
    if (after > end) throw new MalformedBatch('a record without its fields');
    switch (type) {
      case RECORD.request: {
        const number = get16(bytes, start + 8);
        const headerStart = number === 0 ? endOfInlineName(bytes, after, end) : after;
        const headerEnd = headerStart + get16(bytes, start + 10);
        if (headerEnd > end) throw new MalformedBatch('a header that is longer than its record');
        const name = number === 0 ? inlineName(bytes, after, headerStart) : this.#name(number);
        const header = headerStart === headerEnd ? NOTHING : bytes.subarray(headerStart, headerEnd);
        const payload = bytes.subarray(headerEnd, end);
        return listener.request(priority, get32(bytes, start), get32(bytes, start + 4), name, header, payload);
      }
      case RECORD.message: {
        const number = get16(bytes, start + 4);
        const payloadStart = number === 0 ? endOfInlineName(bytes, after, end) : after;
        const name = number === 0 ? inlineName(bytes, after, payloadStart) : this.#name(number);
        return listener.message(priority, get32(bytes, start), name, bytes.subarray(payloadStart, end));
      }
      case RECORD.reply: {
        const headerEnd = after + get16(bytes, start + 4);
        if (headerEnd > end) throw new MalformedBatch('a header that is longer than its record');
        const header = headerEnd === after ? NOTHING : bytes.subarray(after, headerEnd);
        return listener.reply(priority, get32(bytes, start), header, bytes.subarray(headerEnd, end));
      }
      case RECORD.failure: {
        const detail = bytes.toString('utf8', after, end);
        const [reason, processed] = [bytes[start + 4] ?? 0, bytes[start + 5] ?? 0];
        return listener.failure(priority, get32(bytes, start), reason, processed, detail);
      }
      case RECORD.cancel:
        return listener.cancel(get32(bytes, start));
      case RECORD.name:
        return this.#learn(get16(bytes, start), bytes.toString('utf8', after, end));
      case RECORD.grant:
        return listener.grant(priority, get32(bytes, start), get32(bytes, start + 4));
      case RECORD.last:
        return listener.last();
    }
  }

  #learn(number: number, name: string): void {
    if (number !== this.#names.length || number > MAX_NUMBERED_NAMES || name.length > MAX_NAME_BYTES)
      throw new MalformedBatch('a name that does not follow the last one');
    this.#names.push(name);
  }

  #name(number: number): string {
    const name = this.#names[number];
    if (name === undefined) throw new MalformedBatch('a name that was never sent');
    return name;
  }
}

function isType(value: number): value is RecordType {
  return value >= RECORD.request && value <= RECORD.last;
}

function isPriority(value: number): value is PriorityIndex {
  return value <= 2;
}

function endOfInlineName(bytes: Buffer, at: number, end: number): number {
  const nameEnd = at + 1 + (bytes[at] ?? 0);
  if (at >= end || nameEnd > end) throw new MalformedBatch('a name that is longer than its record');
  return nameEnd;
}

function inlineName(bytes: Buffer, at: number, end: number): string {
  return bytes.toString('utf8', at + 1, end);
}

function get16(bytes: Buffer, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function get32(bytes: Buffer, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
  );
}
