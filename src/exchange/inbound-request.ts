import type { MessageFailure, Processed } from '../errors/message-failure.ts';
import type { DeadlineLine, Expiring } from '../lifecycle/deadlines.ts';
import { throwLater } from '../lifecycle/throw-later.ts';
import type { IncomingRequest } from './incoming-request.ts';
import { costOf, failureBytes, OutgoingRecord, type PriorityIndex, priorityAt, RECORD } from './record.ts';
import type { Priority } from './request-route.ts';

/** What a request that ends for a reason says of itself. */
const PROCESSED: { readonly [Reason in MessageFailure]: Processed } = {
  no_handler: 'no',
  not_allowed: 'no',
  declined: 'no',
  too_large: 'no',
  node_closed: 'no',
  handler_failed: 'yes',
  reply_too_large: 'yes',
  queue_full: 'yes',
  deadline_exceeded: 'maybe',
  cancelled: 'maybe',
  stream_lost: 'maybe',
};

/** Whom a request of the peer belongs to. */
export interface InboundOwner {
  /** Takes the answer; undefined: there is nothing to say. */
  answered(request: InboundRequest, answer: OutgoingRecord | undefined): void;
  /** The answer is underway: what the request cost is free again, unless it was given up and its handler still runs. */
  done(request: InboundRequest): void;
  /** The handler of a request that was given up is over. */
  released(request: InboundRequest): void;
  readonly maxMessageBytes: number;
  /** Whether the peer reads its answers, so that another one may wait. */
  hasRoom(priority: PriorityIndex, bytes: number): boolean;
}

const NOTHING: Uint8Array = new Uint8Array(0);

/** An answer; when it is underway, the request is dealt with. */
class Answer extends OutgoingRecord {
  readonly #request: InboundRequest;

  constructor(request: InboundRequest, header: Uint8Array, payload: Uint8Array, failure?: readonly [number, number]) {
    super(
      failure === undefined ? RECORD.reply : RECORD.failure,
      request.index,
      request.id,
      '',
      header,
      payload,
      failure,
    );
    this.#request = request;
  }

  override onWritten(): void {
    this.payload = NOTHING;
    this.#request.owner.done(this.#request);
  }

  override onDropped(): void {
    this.onWritten();
  }
}

/** A request or message of the peer, from its arrival until it is answered. */
export class InboundRequest implements IncomingRequest, Expiring {
  readonly index: PriorityIndex;
  readonly id: number;
  readonly name: string;
  header: Buffer;
  payload: Buffer;
  /** When it came, in milliseconds; 0 where there is no deadline. */
  readonly timeoutMs: number;
  /** Whether nobody waits for a reply. */
  readonly isOneWay: boolean;
  /** The stream it came over. */
  readonly owner: InboundOwner;
  expiresAtMs: number = Number.POSITIVE_INFINITY;
  earlier: Expiring | undefined = undefined;
  later: Expiring | undefined = undefined;
  line: DeadlineLine | undefined = undefined;
  isEnded = false;
  /** Nobody waits for the answer any more, and the handler is not over. */
  isGivenUp = false;
  readonly cost: number;
  #onCancel: (() => void) | undefined;
  #isCancelled = false;

  constructor(
    owner: InboundOwner,
    index: PriorityIndex,
    id: number,
    name: string,
    header: Buffer,
    payload: Buffer,
    timeoutMs: number,
    isOneWay: boolean,
    cost: number = costOf(header.length, payload.length),
  ) {
    this.owner = owner;
    this.timeoutMs = timeoutMs;
    this.cost = cost;
    this.index = index;
    this.id = id;
    this.name = name;
    this.header = header;
    this.payload = payload;
    this.isOneWay = isOneWay;
  }

  /** Holds no more of the batch it came in than it needs. */
  detachFromBatch(): void {
    this.header = ownCopy(this.header);
    this.payload = ownCopy(this.payload);
  }

  get priority(): Priority {
    return priorityAt(this.index);
  }

  get deadlineMs(): number {
    if (this.timeoutMs === 0) return Number.POSITIVE_INFINITY;
    // It is put into the line of deadlines only if it is not answered in the turn it came.
    if (this.line === undefined) return Date.now() + this.timeoutMs;
    return Date.now() + this.expiresAtMs - performance.now();
  }

  reply(header: Uint8Array, payload: Uint8Array): void {
    if (this.isEnded) return this.handlerOver();
    if (this.isOneWay) return this.#end(undefined);
    const bytes = header.length + payload.length;
    if (bytes > this.owner.maxMessageBytes) return this.fail('reply_too_large', `${bytes} bytes`);
    if (!this.owner.hasRoom(this.index, bytes)) return this.fail('queue_full', 'replies are not read');
    this.#end(new Answer(this, header, payload));
  }

  fail(reason: MessageFailure, detail = ''): void {
    if (this.isEnded) return this.handlerOver();
    this.#fail(reason, detail);
  }

  #fail(reason: MessageFailure, detail: string): void {
    const processed = PROCESSED[reason];
    if (this.isOneWay && processed !== 'no') return this.#end(undefined);
    this.#end(new Answer(this, NOTHING, Buffer.from(detail), failureBytes(reason, processed)));
  }

  onCancel(listener: () => void): void {
    if (this.#isCancelled) listener();
    else this.#onCancel = listener;
  }

  expire(): void {
    if (this.isEnded) return;
    this.#giveUp();
    if (!this.isEnded) this.#fail('deadline_exceeded', '');
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    if (this.isEnded) return;
    this.#giveUp();
    if (!this.isEnded) this.#end(undefined);
  }

  /** Also called where it is not waited for any longer. */
  handlerOver(): void {
    if (!this.isGivenUp) return;
    this.isGivenUp = false;
    this.owner.released(this);
  }

  #giveUp(): void {
    this.#isCancelled = true;
    const listener = this.#onCancel;
    this.#onCancel = undefined;
    try {
      listener?.();
    } catch (error) {
      throwLater(error);
    }
    this.isGivenUp = !this.isEnded;
  }

  #end(answer: OutgoingRecord | undefined): void {
    this.isEnded = true;
    this.#onCancel = undefined;
    this.owner.answered(this, answer);
    if (answer === undefined) this.owner.done(this);
  }
}

/** Of a view of something much larger; not out of the common pool, of which it would hold others' parts. */
function ownCopy(view: Buffer): Buffer {
  if (view.length === 0 || view.length * 4 >= view.buffer.byteLength) return view;
  const copy = Buffer.allocUnsafeSlow(view.length);
  copy.set(view);
  return copy;
}
