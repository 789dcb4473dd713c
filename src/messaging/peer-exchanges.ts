import type { InboundRequest } from '../exchange/inbound-request.ts';
import { PeerExchange } from '../exchange/peer-exchange.ts';
import type { ExchangeLimits } from '../exchange/stream-exchange.ts';
import { atMost } from '../lifecycle/at-most.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import type { StreamWay } from '../rpc/stream-way.ts';
import { printable } from '../telemetry/logger.ts';
import type { Closing } from './closing.ts';
import { BATCH_PROTOCOL } from './judge-hello.ts';
import type { PeerStream } from './peer-stream.ts';

export interface PeerExchangesParts {
  readonly limits: ExchangeLimits;
  /** Who is at the other end of a stream. */
  readonly guardOf: (stream: PeerStream) => StreamGuard;
  /** What may be sent over it. */
  readonly wayOf: (stream: PeerStream) => StreamWay;
  /** Serves a request or message of a peer. */
  readonly serve: (request: InboundRequest, guard: StreamGuard, node: string) => void;
  /** Something waits for a node to which there is no stream. */
  readonly demand: (name: string) => void;
}

/** The exchanges of a node with its peers, one each, from the first stream or message on until the peer is forgotten. */
export class PeerExchanges {
  readonly #parts: PeerExchangesParts;
  readonly #exchanges = new Map<string, PeerExchange>();

  constructor(parts: PeerExchangesParts) {
    this.#parts = parts;
  }

  /** The exchange with a peer, which is made where there is none. */
  with(name: string): PeerExchange {
    const known = this.#exchanges.get(name);
    if (known !== undefined) return known;
    const { limits, serve, demand } = this.#parts;
    const exchange = new PeerExchange({
      limits,
      serve: (request, guard) => serve(request, guard, name),
      demand: () => demand(name),
      printable,
    });
    this.#exchanges.set(name, exchange);
    return exchange;
  }

  /** Undefined where nothing was sent yet and no stream was open. */
  known(name: string): PeerExchange | undefined {
    return this.#exchanges.get(name);
  }

  /** Whether anything is on its way to a peer or from it, or was since this was asked last. */
  isBusy(name: string): boolean {
    return this.#exchanges.get(name)?.takeTraffic() ?? false;
  }

  /** A stream of a peer is open. */
  attach(stream: PeerStream): void {
    if (stream.protocol < BATCH_PROTOCOL) return;
    const { guardOf, wayOf } = this.#parts;
    const { node, pipe, generation } = stream;
    stream.exchange = this.with(node).attach(pipe, guardOf(stream), wayOf(stream), generation);
  }

  /** It is over. */
  detach(stream: PeerStream, { isGoodbye }: Closing): void {
    if (stream.exchange === undefined) return;
    this.#exchanges.get(stream.node)?.detach(stream.exchange, isGoodbye ? 'closed' : 'lost');
  }

  /** A peer takes nothing new for now. */
  pause(name: string): void {
    this.#exchanges.get(name)?.pause();
  }

  /** Forgets peers that are no members any more, and strangers that went away. What waits for them fails. */
  keep(isKnown: (name: string) => boolean): void {
    for (const [name, exchange] of this.#exchanges) {
      if (isKnown(name)) continue;
      this.#exchanges.delete(name);
      exchange.close('stream_lost');
    }
  }

  /** Resolves when no request of a peer is being served any more and all are answered, at the latest after `timeoutMs`. */
  settled(timeoutMs: number): Promise<void> {
    return atMost(timeoutMs, Promise.all([...this.#exchanges.values()].map(({ idle }) => idle)));
  }

  close(): void {
    for (const exchange of this.#exchanges.values()) exchange.close('node_closed');
  }
}
