import type * as grpc from '@grpc/grpc-js';
import type { Call, CallArguments } from './grpc-call.ts';

/** `channel` with another way to make calls; it is shared, so closing does nothing. */
export function withCalls(
  channel: grpc.ChannelInterface,
  createCall: (...args: CallArguments) => Call,
): grpc.ChannelInterface {
  return {
    close: () => {},
    getTarget: () => channel.getTarget(),
    getConnectivityState: tryToConnect => channel.getConnectivityState(tryToConnect),
    watchConnectivityState: (...args) => channel.watchConnectivityState(...args),
    getChannelzRef: () => channel.getChannelzRef(),
    createCall,
  };
}
