import { setImmediate as nextTurn } from 'node:timers/promises';
import type { InboundRequest } from '../exchange/inbound-request.ts';
import { PeerExchange } from '../exchange/peer-exchange.ts';
import type { BatchPipe, ExchangeLimits, StreamExchange } from '../exchange/stream-exchange.ts';
import type { Caller } from '../rpc/caller.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import type { StreamWay } from '../rpc/stream-way.ts';

/** What a node sends to itself may go, and needs no permission. */
const OPEN: StreamWay = { takesCalls: () => true, takesMessages: () => true };

export interface SelfExchange {
  readonly exchange: PeerExchange;
  /** Resolves when no message of the node to itself is being served any more, and all are answered. */
  settled(): Promise<void>;
}

/**
 * The exchange of a node with itself: as with any peer, bounds and order included, but over no socket.
 * @param caller who the node is to its own handlers.
 */
export function selfExchange(
  limits: ExchangeLimits,
  caller: () => Caller,
  serve: (request: InboundRequest, guard: StreamGuard) => void,
): SelfExchange {
  const parts = { limits, demand: () => {}, printable: (text: string) => text };
  const near = new PeerExchange({ ...parts, serve: request => request.fail('no_handler') });
  const far = new PeerExchange({ ...parts, serve });
  const guard: StreamGuard = {
    caller,
    decide: () => ({ allowed: true, policy: 'built-in', rule: 'self' }),
    interceptor: (_method, call) => call as ReturnType<StreamGuard['interceptor']>,
  };
  const ends: { near?: StreamExchange; far?: StreamExchange } = {};
  ends.near = near.attach(
    pipeTo(() => ends.far),
    guard,
    OPEN,
    0,
  );
  ends.far = far.attach(
    pipeTo(() => ends.near),
    guard,
    OPEN,
    0,
  );
  return {
    exchange: near,
    async settled() {
      // What was sent is a turn away from its handler, and a reply as far from who waits for it.
      await nextTurn();
      await far.idle;
      await nextTurn();
    },
  };
}

function pipeTo(receiver: () => StreamExchange | undefined): BatchPipe {
  return {
    write: (batch, done) => {
      setImmediate(() => {
        receiver()?.receive(batch);
        done();
      });
    },
  };
}
