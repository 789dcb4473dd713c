import type { DeadlineLine, Deadlines, Expiring } from '../lifecycle/deadlines.ts';
import type { InboundOwner, InboundRequest } from './inbound-request.ts';
import type { PriorityIndex } from './record.ts';
import type { Held } from './stream-accounts.ts';

/**
 * Windows of one priority that may be held. Streams that are open at the same time are granted one each, who uses one after
 * the other as it must fills two, and the last record of each may be as large again as the window, or counts as much.
 */
const MOST_WINDOWS = 4;

/** Over what the peer may send. */
export type OpenStreams = () => readonly (InboundOwner & { freed(index: PriorityIndex): void })[];

/** So long a request that was given up counts while its handler runs; there are handlers that then never end. */
const GIVEN_UP_MS = 5_000;

/**
 * What one peer sent and this node holds, over all streams of that peer.
 *
 * H1. A request is held until its answer is underway, or nobody waits for one.
 * H2. One that was given up, by the peer or for its deadline, is held until its handler is over too, at most some seconds
 *     longer: else a peer could have any number of handlers run that it has given up at once.
 */
export class HeldRequests implements Held {
  readonly #windowBytes: number;
  readonly #deadlines: Deadlines;
  readonly #streams: OpenStreams;
  readonly #bytes: [number, number, number] = [0, 0, 0];
  /** The same with no request counted for more than a window. */
  readonly #windows: [number, number, number] = [0, 0, 0];
  readonly #givenUp = new Map<InboundRequest, GivenUp>();

  /** @param streams told when what came over others counts no more. */
  constructor(windowBytes: number, deadlines: Deadlines, streams: OpenStreams) {
    this.#windowBytes = windowBytes;
    this.#deadlines = deadlines;
    this.#streams = streams;
  }

  bytes(priority: PriorityIndex): number {
    return this.#bytes[priority];
  }

  isFull(priority: PriorityIndex): boolean {
    return this.#windows[priority] >= MOST_WINDOWS * this.#windowBytes;
  }

  took({ index, cost }: InboundRequest): void {
    this.#bytes[index] += cost;
    this.#windows[index] += Math.min(cost, this.#windowBytes);
  }

  /** Its answer is underway, or nobody waits for one. */
  done(request: InboundRequest): void {
    if (!request.isGivenUp) return this.#free(request, request.owner);
    const givenUp = new GivenUp(request);
    this.#givenUp.set(request, givenUp);
    this.#deadlines.add(givenUp, GIVEN_UP_MS);
  }

  /** The handler of one that was given up is over, or was waited for long enough. */
  released(request: InboundRequest): void {
    const givenUp = this.#givenUp.get(request);
    if (givenUp === undefined) return;
    this.#givenUp.delete(request);
    this.#deadlines.remove(givenUp);
    this.#free(request, undefined);
  }

  #free({ index, cost }: InboundRequest, owner: InboundOwner | undefined): void {
    this.#bytes[index] -= cost;
    this.#windows[index] -= Math.min(cost, this.#windowBytes);
    for (const stream of this.#streams()) if (stream !== owner) stream.freed(index);
  }
}

/** A request whose handler is waited for, though nobody waits for its answer. */
class GivenUp implements Expiring {
  expiresAtMs: number = Number.POSITIVE_INFINITY;
  earlier: Expiring | undefined = undefined;
  later: Expiring | undefined = undefined;
  line: DeadlineLine | undefined = undefined;
  readonly #request: InboundRequest;

  constructor(request: InboundRequest) {
    this.#request = request;
  }

  expire(): void {
    this.#request.handlerOver();
  }
}
