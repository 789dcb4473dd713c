import { EventEmitter } from 'node:events';
import type * as grpc from '@grpc/grpc-js';

type UnaryCall = grpc.ServerUnaryCall<unknown, unknown>;

/** A call as its handler has it, whatever it came over; what grpc-js gives handlers of unary methods. */
export class ServerCall extends EventEmitter implements UnaryCall {
  cancelled = false;
  readonly metadata: grpc.Metadata;
  request: unknown;
  readonly #path: string;
  readonly #call: grpc.ServerInterceptingCallInterface;

  constructor(path: string, call: grpc.ServerInterceptingCallInterface, metadata: grpc.Metadata, request: unknown) {
    super();
    this.#path = path;
    this.#call = call;
    this.metadata = metadata;
    this.request = request;
  }

  sendMetadata(metadata: grpc.Metadata): void {
    this.#call.sendMetadata(metadata);
  }

  getPath(): string {
    return this.#path;
  }

  getPeer(): string {
    return this.#call.getPeer();
  }

  getDeadline(): grpc.Deadline {
    return this.#call.getDeadline();
  }

  getHost(): string {
    return this.#call.getHost();
  }

  getAuthContext(): ReturnType<UnaryCall['getAuthContext']> {
    return this.#call.getAuthContext();
  }

  getMetricsRecorder(): ReturnType<UnaryCall['getMetricsRecorder']> {
    return this.#call.getMetricsRecorder();
  }
}
