import type { InboundRequest } from '../exchange/inbound-request.ts';
import { PeerExchange } from '../exchange/peer-exchange.ts';
import type { BatchPipe, ExchangeLimits, StreamExchange } from '../exchange/stream-exchange.ts';
import type { Caller } from '../rpc/caller.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import type { StreamWay } from '../rpc/stream-way.ts';

/** What a node sends to itself may go, and needs no permission. */
const OPEN: StreamWay = { takesCalls: () => true, takesMessages: () => true };

/**
 * The exchange of a node with itself: as with any peer, bounds and order included, but over no socket.
 * @param caller who the node is to its own handlers.
 */
export function selfExchange(
  limits: ExchangeLimits,
  caller: () => Caller,
  serve: (request: InboundRequest, guard: StreamGuard) => void,
): PeerExchange {
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
  return near;
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
