import type * as grpc from '@grpc/grpc-js';

/**
 * Sends the unary calls of a client over `pick()`; for `ClientOptions.callInvocationTransformer`. All others, and those
 * for which nothing is picked, go over the client's own channel.
 * @param pick asked once for each unary call: the way to the node that the call is for. Undefined also once the client is
 * closed.
 */
export function streamedCalls(pick: () => grpc.ChannelInterface | undefined): grpc.CallInvocationTransformer {
  return properties => {
    const { requestStream, responseStream } = properties.methodDefinition;
    if (requestStream || responseStream) return properties;
    const channel = pick();
    // `CallProperties` asks for grpc-js's own class where its code needs the interface only.
    return channel === undefined ? properties : { ...properties, channel: channel as grpc.Channel };
  };
}
