import type { StreamGuard } from '../rpc/stream-guard.ts';
import type { HeldRequests } from './held-requests.ts';
import type { InboundRequest } from './inbound-request.ts';
import type { OutboundQueue } from './outbound-queue.ts';
import type { PriorityIndex, readFailure } from './record.ts';
import type { ExchangeLimits, StreamExchange } from './stream-exchange.ts';

/** What a stream belongs to: the exchange with one peer, which outlives it. */
export interface StreamOwner {
  readonly limits: ExchangeLimits;
  readonly queue: OutboundQueue;
  readonly held: HeldRequests;
  /** A request or message of the peer. */
  arrived(request: InboundRequest, guard: StreamGuard): void;
  replied(id: number, header: Buffer, payload: Buffer): void;
  failed(id: number, failure: ReturnType<typeof readFailure>, detail: string): void;
  cancelled(id: number): void;
  answered(request: InboundRequest): void;
  /** Something of the queue was written. */
  wrote(): void;
  /** The peer has taken the stream up: it granted something. */
  granted(stream: StreamExchange): void;
  /** Whether the peer leaves very many answers without word, whatever stream they went over. */
  isDeaf(priority: PriorityIndex): boolean;
  isReplaced(stream: StreamExchange): boolean;
  /** Of two streams, this one is done: nothing of ours is underway on it. */
  left(stream: StreamExchange): void;
}
