import type { MessageFailure, Processed } from '../errors/message-failure.ts';
import type { DeadlineLine, Expiring } from '../lifecycle/deadlines.ts';
import { throwLater } from '../lifecycle/throw-later.ts';
import { OutgoingRecord, type PriorityIndex, priorityIndex, RECORD } from './record.ts';
import type { OutgoingRequest, RequestOutcome } from './request-route.ts';

const NOTHING = Buffer.alloc(0);
/** Of what is longer the other side hears this: 49 days. */
const MOST_TIMEOUT_MS = 2 ** 32 - 1;

/** Whom a request of ours belongs to until it is settled. */
export interface RequestOwner {
  /** It is settled now: by its deadline, by the one who made it, or because it arrived. */
  settled(request: PendingRequest): void;
  /** Nobody wants it any more. True where it had not been begun, so the other side never sees it. */
  withdraw(request: PendingRequest): boolean;
  /** The other side need not answer it any more. */
  revoke(request: PendingRequest): void;
}

/**
 * A request, or a message without reply, of ours from when it is made until it is settled, exactly once. Who makes it
 * hears of that by the method that its class has for it, in a later turn than it was posted.
 */
export abstract class PendingRequest extends OutgoingRecord implements Expiring {
  expiresAtMs: number = Number.POSITIVE_INFINITY;
  earlier: Expiring | undefined = undefined;
  later: Expiring | undefined = undefined;
  line: DeadlineLine | undefined = undefined;
  /** The stream to which all of it was given. */
  writtenOn: object | undefined = undefined;
  isSettled = false;
  /** Set when it is posted. */
  owner: RequestOwner | undefined = undefined;

  /** @param isOneWay it is not answered: it is settled as replied to when it has arrived. */
  constructor(
    isOneWay: boolean,
    priority: PriorityIndex,
    name: string,
    header: Uint8Array | undefined,
    payload: Uint8Array,
  ) {
    super(isOneWay ? RECORD.message : RECORD.request, priority, 0, name, header, payload);
  }

  protected abstract replied(header: Buffer, payload: Buffer): void;
  /** @param detail printable; empty where the reason says it all. */
  protected abstract failed(reason: MessageFailure, detail: string, processed: Processed): void;

  override timeoutMs(nowMs: number): number {
    if (this.expiresAtMs === Number.POSITIVE_INFINITY) return 0;
    return Math.min(Math.max(Math.ceil(this.expiresAtMs - nowMs), 1), MOST_TIMEOUT_MS);
  }

  get isWritten(): boolean {
    return this.writtenOn !== undefined;
  }

  override onWritten(stream: object): void {
    this.writtenOn = stream;
    if (!this.isSettled) return;
    this.payload = NOTHING;
    if (this.type === RECORD.request) this.owner?.revoke(this);
  }

  override onArrived(): void {
    if (this.type === RECORD.message) this.reply(NOTHING, NOTHING);
  }

  expire(): void {
    this.#giveUp('deadline_exceeded');
  }

  cancel(): void {
    this.#giveUp('cancelled');
  }

  /** Nothing of it was begun, and it may not go over the stream that is there now. */
  decline(): void {
    if (!this.isSettled && !this.isWritten && this.owner?.withdraw(this)) this.fail('declined', 'no');
  }

  fail(reason: MessageFailure, processed: Processed, detail = ''): void {
    if (!this.#settle()) return;
    try {
      this.failed(reason, detail, processed);
    } catch (error) {
      throwLater(error);
    }
  }

  reply(header: Buffer, payload: Buffer): void {
    if (!this.#settle()) return;
    try {
      this.replied(header, payload);
    } catch (error) {
      throwLater(error);
    }
  }

  #settle(): boolean {
    if (this.isSettled) return false;
    this.isSettled = true;
    // It may be remembered for a while that it is underway, but not what it held.
    if (this.isWritten) this.payload = NOTHING;
    this.owner?.settled(this);
    return true;
  }

  #giveUp(reason: MessageFailure): void {
    if (this.isSettled) return;
    if (!this.isWritten && this.owner?.withdraw(this)) return this.fail(reason, 'no', 'it still waited to be sent');
    const isAnswered = this.isWritten && this.type === RECORD.request;
    this.fail(reason, 'maybe');
    if (isAnswered) this.owner?.revoke(this);
  }
}

/** A request of which a function is told how it ended. */
export class CallbackRequest extends PendingRequest {
  readonly #settle: (outcome: RequestOutcome) => void;

  constructor({ priority, name, header, payload }: OutgoingRequest, settle: (outcome: RequestOutcome) => void) {
    super(false, priorityIndex(priority), name, header, payload);
    this.#settle = settle;
  }

  protected replied(header: Buffer, payload: Buffer): void {
    this.#settle({ kind: 'replied', header, payload });
  }

  protected failed(reason: MessageFailure, detail: string, processed: Processed): void {
    this.#settle({ kind: 'failed', reason, detail, processed });
  }
}
