import * as grpc from '@grpc/grpc-js';
import type { Call, CallArguments } from '../rpc/grpc-call.ts';
import { FacadeCall } from './facade-call.ts';
import { failClosed } from './fail-call.ts';

/**
 * A channel as one of its several holders has it: closing ends further calls of that holder, and neither running calls
 * nor the channel.
 * @param name for messages.
 */
export function lentChannel(channel: grpc.ChannelInterface, name: string): grpc.ChannelInterface {
  let isClosed = false;
  return {
    close: () => {
      isClosed = true;
    },
    createCall: (...args: CallArguments): Call => {
      if (!isClosed) return channel.createCall(...args);
      const call = new FacadeCall(args, { ended: () => {} });
      failClosed(call, name);
      return call;
    },
    getTarget: () => channel.getTarget(),
    getConnectivityState: tryToConnect =>
      isClosed ? grpc.connectivityState.SHUTDOWN : channel.getConnectivityState(tryToConnect),
    watchConnectivityState: (...args) => channel.watchConnectivityState(...args),
    getChannelzRef: () => channel.getChannelzRef(),
  };
}
