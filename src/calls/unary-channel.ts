import type * as grpc from '@grpc/grpc-js';
import type { RequestRoute } from '../exchange/request-route.ts';
import type { CallArguments } from '../rpc/grpc-call.ts';
import type { CallMetrics } from '../telemetry/call-metrics.ts';
import { StreamedCall } from './streamed-call.ts';

export interface UnaryChannelParts {
  /** Of the other node, for messages. */
  readonly name: string;
  readonly route: RequestRoute;
  /** The ordinary way to the same node. It counts the calls it gets. */
  readonly channel: grpc.ChannelInterface;
  /** Counts the calls that end on the stream. */
  readonly calls: CallMetrics;
  /** Larger requests, metadata included, go the ordinary way. */
  readonly maxRequestBytes: number;
  /** Larger replies end a call with RESOURCE_EXHAUSTED, as `grpc.max_receive_message_length` does. */
  readonly maxReplyBytes: number;
}

/**
 * The channel to one node for unary calls: over the stream where that takes them, else over the ordinary channel. One
 * serves all calls to the node. Calls of other kinds must not be created here.
 */
export class UnaryChannel implements grpc.ChannelInterface {
  readonly #parts: UnaryChannelParts;

  constructor(parts: UnaryChannelParts) {
    this.#parts = parts;
  }

  createCall(...args: CallArguments): StreamedCall {
    return new StreamedCall(args, this.#parts);
  }

  getTarget(): string {
    return this.#parts.channel.getTarget();
  }

  getConnectivityState(tryToConnect: boolean): grpc.connectivityState {
    return this.#parts.channel.getConnectivityState(tryToConnect);
  }

  watchConnectivityState(...args: Parameters<grpc.ChannelInterface['watchConnectivityState']>): void {
    this.#parts.channel.watchConnectivityState(...args);
  }

  getChannelzRef(): ReturnType<grpc.ChannelInterface['getChannelzRef']> {
    return this.#parts.channel.getChannelzRef();
  }

  /** It is shared, and so is the channel behind it. */
  close(): void {}
}
