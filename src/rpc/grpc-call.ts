import type * as grpc from '@grpc/grpc-js';

/** grpc-js's `Call` is not exported by name; a `ChannelInterface` gives it away. */
export type Call = ReturnType<grpc.ChannelInterface['createCall']>;
export type CallArguments = Parameters<grpc.ChannelInterface['createCall']>;
/** What hears of an outgoing call. */
export type CallListener = Parameters<Call['start']>[1];
export type MessageContext = Parameters<Call['sendMessageWithContext']>[0];
