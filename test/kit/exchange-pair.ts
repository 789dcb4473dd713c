import type { MessageFailure, Processed } from '../../src/errors/message-failure.ts';
import type { InboundRequest } from '../../src/exchange/inbound-request.ts';
import { PeerExchange, type PeerExchangeParts, type StreamEnd } from '../../src/exchange/peer-exchange.ts';
import { PendingRequest } from '../../src/exchange/pending-request.ts';
import { priorityIndex } from '../../src/exchange/record.ts';
import type { OutgoingRequest, RequestOutcome } from '../../src/exchange/request-route.ts';
import type { BatchPipe, ExchangeLimits, StreamExchange } from '../../src/exchange/stream-exchange.ts';
import type { StreamGuard } from '../../src/rpc/stream-guard.ts';
import type { StreamWay } from '../../src/rpc/stream-way.ts';

export const TEST_LIMITS: ExchangeLimits = {
  maxMessageBytes: 4_194_304,
  queueBytes: 16_777_216,
  windowBytes: 1_048_576,
};

const NO_GUARD = {} as StreamGuard;
const OPEN: StreamWay = { takesCalls: () => true, takesMessages: () => true };

/** One direction of a stream in memory. Batches arrive in later turns, in their order; `hold` keeps them back. */
class MemoryPipe implements BatchPipe {
  receiver: StreamExchange | undefined;
  isHeld = false;
  isCut = false;
  readonly batches: Buffer[] = [];
  #waiting: (() => void)[] = [];

  write(batch: Buffer, done: () => void): void {
    this.batches.push(batch);
    this.#waiting.push(() => {
      if (this.isCut) return;
      this.receiver?.receive(batch);
      done();
    });
    setImmediate(() => this.#flush());
  }

  release(): void {
    this.isHeld = false;
    this.#flush();
  }

  #flush(): void {
    while (!this.isHeld) {
      const deliver = this.#waiting.shift();
      if (deliver === undefined) break;
      deliver();
    }
  }
}

/** One stream between the two exchanges of a pair. */
export interface MemoryStream {
  readonly toB: MemoryPipe;
  readonly toA: MemoryPipe;
  readonly a: StreamExchange;
  readonly b: StreamExchange;
  /** Ends it at both ends; `lost` drops what is on its way. */
  end(end: StreamEnd): void;
}

export interface ExchangePair {
  readonly a: PeerExchange;
  readonly b: PeerExchange;
  /** @param way what `a` may send over it. Default: everything. */
  connect(way?: StreamWay): MemoryStream;
}

/** Two ends of an exchange, joined in memory. */
export function exchangePair(
  serve: { readonly a?: (request: InboundRequest) => void; readonly b?: (request: InboundRequest) => void },
  limits: Partial<ExchangeLimits> = {},
): ExchangePair {
  const parts = (handler: ((request: InboundRequest) => void) | undefined): PeerExchangeParts => ({
    limits: { ...TEST_LIMITS, ...limits },
    serve: request => (handler === undefined ? request.fail('no_handler') : handler(request)),
    demand: () => {},
    printable: text => text,
  });
  const [a, b] = [new PeerExchange(parts(serve.a)), new PeerExchange(parts(serve.b))];
  return {
    a,
    b,
    connect: (way = OPEN) => {
      const [toA, toB] = [new MemoryPipe(), new MemoryPipe()];
      const [atA, atB] = [a.attach(toB, NO_GUARD, way, 1), b.attach(toA, NO_GUARD, OPEN, 1)];
      toA.receiver = atA;
      toB.receiver = atB;
      return {
        toA,
        toB,
        a: atA,
        b: atB,
        end: end => {
          toA.isCut = toB.isCut = true;
          a.detach(atA, end);
          b.detach(atB, end);
        },
      };
    },
  };
}

class TestRequest extends PendingRequest {
  readonly #settle: (outcome: RequestOutcome) => void;

  constructor(
    { priority, name, header, payload }: OutgoingRequest,
    settle: (outcome: RequestOutcome) => void,
    isOneWay: boolean,
  ) {
    super(isOneWay, priorityIndex(priority), name, header, payload);
    this.#settle = settle;
  }

  protected replied(header: Buffer, payload: Buffer): void {
    this.#settle({ kind: 'replied', header, payload });
  }

  protected failed(reason: MessageFailure, detail: string, processed: Processed): void {
    this.#settle({ kind: 'failed', reason, detail, processed });
  }
}

const NOTHING = Buffer.alloc(0);
const PLAIN: OutgoingRequest = {
  name: 'kind',
  header: NOTHING,
  payload: NOTHING,
  priority: 'normal',
  timeoutMs: undefined,
};

/** Posts a request, or a message that is not answered: empty, `normal` and without a deadline unless told otherwise. */
export function post(
  exchange: PeerExchange,
  changes: Partial<OutgoingRequest>,
  settle: (outcome: RequestOutcome) => void,
  isOneWay = false,
): PendingRequest {
  const request = { ...PLAIN, ...changes };
  const pending = new TestRequest(request, settle, isOneWay);
  exchange.post(pending, request.timeoutMs);
  return pending;
}

/** How a request ended, in words. */
export function inWords(outcome: RequestOutcome): string {
  return outcome.kind === 'replied' ? 'replied' : `${outcome.reason} ${outcome.processed}`;
}
