import type { MessageFailure, Processed } from '../errors/message-failure.ts';
import type { DeadlineLine, Expiring } from '../lifecycle/deadlines.ts';
import { OutgoingRecord, type PriorityIndex, RECORD } from './record.ts';
import type { RequestOutcome } from './request-route.ts';

const NOTHING = Buffer.alloc(0);
/** Of what is longer the other side hears this: 49 days. */
const MOST_TIMEOUT_MS = 2 ** 32 - 1;
const ARRIVED: RequestOutcome = { kind: 'replied', header: NOTHING, payload: NOTHING };

/** Whom a request of ours belongs to until it is settled. */
export interface RequestOwner {
  /** It is settled now: by its deadline, by the one who made it, or because it arrived. */
  settled(request: PendingRequest): void;
  /** Nobody wants it any more. True where it had not been begun, so the other side never sees it. */
  withdraw(request: PendingRequest): boolean;
  /** The other side need not answer it any more. */
  revoke(request: PendingRequest): void;
}

/** A request, or a message without reply, of ours from when it is made until it is settled, exactly once. */
export class PendingRequest extends OutgoingRecord implements Expiring {
  expiresAtMs: number = Number.POSITIVE_INFINITY;
  earlier: Expiring | undefined = undefined;
  later: Expiring | undefined = undefined;
  line: DeadlineLine | undefined = undefined;
  /** All of it was given to a stream. */
  isWritten = false;
  isSettled = false;
  readonly #owner: RequestOwner;
  readonly #settle: (outcome: RequestOutcome) => void;

  constructor(
    owner: RequestOwner,
    isOneWay: boolean,
    priority: PriorityIndex,
    id: number,
    name: string,
    header: Uint8Array,
    payload: Uint8Array,
    settle: (outcome: RequestOutcome) => void,
  ) {
    super(isOneWay ? RECORD.message : RECORD.request, priority, id, name, header, payload);
    this.#owner = owner;
    this.#settle = settle;
  }

  override get timeoutMs(): number {
    if (this.expiresAtMs === Number.POSITIVE_INFINITY) return 0;
    const leftMs = Math.ceil(this.expiresAtMs - performance.now());
    return Math.min(Math.max(leftMs, 1), MOST_TIMEOUT_MS);
  }

  override onWritten(): void {
    this.isWritten = true;
    if (!this.isSettled) return;
    this.payload = NOTHING;
    if (this.type === RECORD.request) this.#owner.revoke(this);
  }

  override onArrived(): void {
    if (this.type === RECORD.message) this.settle(ARRIVED);
  }

  expire(): void {
    this.#giveUp('deadline_exceeded');
  }

  cancel(): void {
    this.#giveUp('cancelled');
  }

  /** Nothing of it was begun, and it may not go over the stream that is there now. */
  decline(): void {
    if (!this.isSettled && !this.isWritten && this.#owner.withdraw(this)) this.fail('declined', 'no');
  }

  fail(reason: MessageFailure, processed: Processed, detail = ''): void {
    this.settle({ kind: 'failed', reason, detail, processed });
  }

  settle(outcome: RequestOutcome): void {
    if (this.isSettled) return;
    this.isSettled = true;
    // It may be remembered for a while that it is underway, but not what it held.
    if (this.isWritten) this.payload = NOTHING;
    this.#owner.settled(this);
    this.#settle(outcome);
  }

  #giveUp(reason: MessageFailure): void {
    if (this.isSettled) return;
    if (!this.isWritten && this.#owner.withdraw(this)) return this.fail(reason, 'no');
    const isAnswered = this.isWritten && this.type === RECORD.request;
    this.fail(reason, 'maybe');
    if (isAnswered) this.#owner.revoke(this);
  }
}
