import * as grpc from '@grpc/grpc-js';
import type { IncomingRequest } from '../exchange/incoming-request.ts';
import { noMetricsRecorder } from './no-metrics-recorder.ts';
import { ownBytes } from './own-bytes.ts';
import { encodeMetadata, encodeReplyHeader } from './reply-header.ts';
import { decodeRequestHeader } from './request-header.ts';

type ServerCallInterface = grpc.ServerInterceptingCallInterface;
type ServerListener = Parameters<ServerCallInterface['start']>[0];
type CallStatus = Parameters<ServerCallInterface['sendStatus']>[0];

export interface CallServerOptions {
  /** What `getHost` of a call answers: the name of this node. */
  readonly host: string;
  /** Larger replies end a call with RESOURCE_EXHAUSTED, as `grpc.max_send_message_length` does. */
  readonly maxReplyBytes: number;
}

type Method = grpc.ServerMethodDefinition<unknown, unknown>;

const NO_PAYLOAD: Uint8Array = Buffer.alloc(0);

/**
 * One unary call that came over the stream: what grpc-js's own call over an HTTP/2 stream is for interceptors.
 *
 * I1. The request is replied to at most once, with the first status; what comes after that, or after a cancellation, is
 *     ignored.
 * I2. `onCancel` is heard once in each call, in a later turn: also at the end of one that was answered, as in grpc-js.
 */
export class IncomingCall implements ServerCallInterface {
  readonly #request: IncomingRequest;
  readonly #method: Method;
  readonly #remoteAddress: string;
  readonly #options: CallServerOptions;
  #listener: ServerListener | undefined;
  #next: 'message' | 'half close' | 'nothing' = 'message';
  /** The encoded initial metadata, once it is sent. */
  #initial: Uint8Array | undefined;
  #message: Uint8Array | undefined;
  #isEnded = false;

  /** @param remoteAddress `host:port` of the other end, or `unix`. */
  constructor(request: IncomingRequest, method: Method, remoteAddress: string, options: CallServerOptions) {
    this.#request = request;
    this.#method = method;
    this.#remoteAddress = remoteAddress;
    this.#options = options;
  }

  start(listener: ServerListener): void {
    this.#listener = listener;
    let metadata: grpc.Metadata;
    try {
      metadata = decodeRequestHeader(this.#request.header);
    } catch {
      return this.#fail(grpc.status.INTERNAL, 'the header of the request is malformed');
    }
    this.#request.onCancel(() => this.#end());
    listener.onReceiveMetadata(metadata);
  }

  startRead(): void {
    if (this.#isEnded) return;
    const next = this.#next;
    if (next === 'message') {
      this.#next = 'half close';
      this.#readMessage();
    } else if (next === 'half close') {
      this.#next = 'nothing';
      this.#listener?.onReceiveHalfClose();
    }
  }

  sendMetadata(metadata: grpc.Metadata): void {
    if (this.#isEnded || this.#initial !== undefined) return;
    this.#initial = encodeMetadata(metadata);
    if (this.#initial === undefined) this.#fail(grpc.status.RESOURCE_EXHAUSTED, 'the initial metadata is too large');
  }

  sendMessage(message: unknown, callback: () => void): void {
    if (this.#isEnded) return this.#over();
    let bytes: Buffer;
    try {
      bytes = this.#method.responseSerialize(message);
    } catch {
      return this.#fail(grpc.status.INTERNAL, 'Error serializing response');
    }
    const { maxReplyBytes } = this.#options;
    if (bytes.length > maxReplyBytes) {
      const details = `Sent message larger than max (${bytes.length} vs. ${maxReplyBytes})`;
      return this.#fail(grpc.status.RESOURCE_EXHAUSTED, details);
    }
    this.#message = bytes;
    callback();
  }

  sendStatus(status: CallStatus): void {
    if (this.#isEnded) return this.#over();
    const hasMessage = this.#message !== undefined;
    const [code, details, trailing] = [status.code, String(status.details), status.metadata];
    const header = encodeReplyHeader({ hasMessage, code, details, initial: this.#initial, trailing });
    if (header === undefined) return this.#fail(grpc.status.RESOURCE_EXHAUSTED, 'status and metadata are too large');
    this.#reply(header, this.#message ?? NO_PAYLOAD);
  }

  getPeer(): string {
    return this.#remoteAddress;
  }

  getDeadline(): grpc.Deadline {
    return this.#request.deadlineMs;
  }

  getHost(): string {
    return this.#options.host;
  }

  /** Who calls is not told here, but by `callerOf`. */
  getAuthContext(): ReturnType<ServerCallInterface['getAuthContext']> {
    return {};
  }

  getConnectionInfo(): ReturnType<ServerCallInterface['getConnectionInfo']> {
    const remoteAddress = this.#remoteAddress;
    const colon = remoteAddress.lastIndexOf(':');
    if (colon === -1) return {};
    return { remoteAddress: remoteAddress.slice(0, colon), remotePort: Number(remoteAddress.slice(colon + 1)) };
  }

  getMetricsRecorder(): ReturnType<ServerCallInterface['getMetricsRecorder']> {
    return noMetricsRecorder;
  }

  #readMessage(): void {
    let message: unknown;
    try {
      message = this.#method.requestDeserialize(ownBytes(this.#request.payload));
    } catch {
      return this.#fail(grpc.status.INTERNAL, 'Error deserializing request');
    }
    this.#listener?.onReceiveMessage(message);
  }

  /** Ends the call with a status of ours, without what was sent before. */
  #fail(code: grpc.status, details: string): void {
    const header = encodeReplyHeader({ hasMessage: false, code, details, initial: undefined, trailing: undefined });
    if (header !== undefined) this.#reply(header, NO_PAYLOAD);
  }

  #reply(header: Uint8Array, payload: Uint8Array): void {
    this.#end();
    this.#request.reply(header, payload);
  }

  /** The handler of a call that has ended has nothing more to say either. */
  #over(): void {
    this.#request.handlerOver();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    process.nextTick(tellCancelled, this.#listener);
  }
}

function tellCancelled(listener: ServerListener | undefined): void {
  listener?.onCancel();
}
