import type { MessageFailure, Processed } from '../../src/errors/message-failure.ts';
import type { IncomingRequest } from '../../src/exchange/incoming-request.ts';
import type { OutgoingRequest, RequestOutcome, RequestRoute } from '../../src/exchange/request-route.ts';

type Settle = (outcome: RequestOutcome) => void;

/**
 * A peer stream without a socket: what is asked here is served by `serve` in a later turn, and the reply comes back in
 * one after that. Requests and replies of a turn travel together, in copies.
 */
export class MemoryRoute implements RequestRoute {
  /** Whether requests are taken. */
  isOpen = true;
  /** Requests that were taken. */
  readonly taken: OutgoingRequest[] = [];
  /** Fails requests instead of serving them, while it is set. */
  failing: { readonly reason: MessageFailure; readonly processed: Processed } | undefined;
  readonly #serve: (request: IncomingRequest) => void;
  readonly #pending = new Set<PendingRequest>();
  #batch: (() => void)[] = [];

  constructor(serve: (request: IncomingRequest) => void) {
    this.#serve = serve;
  }

  get last(): OutgoingRequest {
    const request = this.taken.at(-1);
    if (request === undefined) throw new Error('nothing was asked over the route');
    return request;
  }

  tryRequest(request: OutgoingRequest, settle: Settle): { cancel(): void } | undefined {
    if (!this.isOpen) return undefined;
    this.taken.push(request);
    const { failing } = this;
    const pending = new PendingRequest(request, outcome => {
      this.#pending.delete(pending);
      this.#later(() => settle(outcome));
    });
    this.#pending.add(pending);
    if (failing !== undefined) pending.end({ kind: 'failed', detail: '', ...failing });
    else this.#later(() => this.#serve(pending));
    return { cancel: () => pending.giveUp('cancelled') };
  }

  /** The stream breaks: nobody learns what became of the requests. */
  lose(): void {
    for (const pending of this.#pending) pending.giveUp('stream_lost');
  }

  #later(step: () => void): void {
    if (this.#batch.length === 0) setImmediate(() => this.#flush());
    this.#batch.push(step);
  }

  #flush(): void {
    const batch = this.#batch;
    this.#batch = [];
    for (const step of batch) step();
  }
}

/** One request, at both ends. */
class PendingRequest implements IncomingRequest {
  readonly name: string;
  readonly header: Buffer;
  readonly payload: Buffer;
  readonly priority: OutgoingRequest['priority'];
  readonly deadlineMs: number;
  readonly #settle: Settle;
  readonly #timer: NodeJS.Timeout | undefined;
  #onCancel: (() => void) | undefined;
  #isSettled = false;

  constructor({ name, header, payload, priority, timeoutMs }: OutgoingRequest, settle: Settle) {
    this.name = name;
    this.header = Buffer.from(header);
    this.payload = Buffer.from(payload);
    this.priority = priority;
    this.deadlineMs = timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs;
    this.#settle = settle;
    if (timeoutMs !== undefined) this.#timer = setTimeout(() => this.giveUp('deadline_exceeded'), timeoutMs);
  }

  reply(header: Uint8Array, payload: Uint8Array): void {
    this.end({ kind: 'replied', header: Buffer.from(header), payload: Buffer.from(payload) });
  }

  fail(reason: MessageFailure, detail = ''): void {
    this.end({ kind: 'failed', reason, detail, processed: reason === 'declined' ? 'no' : 'maybe' });
  }

  handlerOver(): void {}

  onCancel(listener: () => void): void {
    this.#onCancel = listener;
  }

  /** Nobody waits for the reply any more. */
  giveUp(reason: MessageFailure): void {
    if (this.#isSettled) return;
    this.end({ kind: 'failed', reason, detail: '', processed: 'maybe' });
    this.#onCancel?.();
  }

  end(outcome: RequestOutcome): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#settle(outcome);
  }
}
