import * as grpc from '@grpc/grpc-js';
import { statusOfHandlerError } from './handler-status.ts';
import { ServerCall } from './server-call.ts';
import type { UnaryMethod } from './unary-method.ts';

type ServerListener = Parameters<grpc.ServerInterceptingCallInterface['start']>[0];

/** Runs the handler of one unary call, as grpc-js's own `handleUnary` does. */
export class UnaryRun implements ServerListener {
  readonly #call: grpc.ServerInterceptingCall;
  readonly #method: UnaryMethod;
  #metadata: grpc.Metadata = new grpc.Metadata();
  #message: unknown;
  #surface: ServerCall | undefined;

  constructor(call: grpc.ServerInterceptingCall, method: UnaryMethod) {
    this.#call = call;
    this.#method = method;
  }

  onReceiveMetadata(metadata: grpc.Metadata): void {
    this.#metadata = metadata;
    this.#call.startRead();
  }

  onReceiveMessage(message: unknown): void {
    this.#message = message;
    this.#call.startRead();
  }

  onReceiveHalfClose(): void {
    const { descriptor, handle } = this.#method;
    this.#surface = new ServerCall(descriptor.path, this.#call, this.#metadata, this.#message);
    try {
      handle(this.#surface, (error, value, trailing) => this.#respond(error, value, trailing));
    } catch {
      this.#call.sendStatus({ code: grpc.status.UNKNOWN, details: 'Unknown error', metadata: null });
    }
  }

  onCancel(): void {
    if (this.#surface === undefined) return;
    this.#surface.cancelled = true;
    this.#surface.emit('cancelled', 'cancelled');
  }

  #respond(...[error, value, trailing]: Parameters<grpc.sendUnaryData<unknown>>): void {
    if (error) return this.#call.sendStatus(statusOfHandlerError(error, trailing));
    this.#call.sendMessage(value, () =>
      this.#call.sendStatus({ code: grpc.status.OK, details: 'OK', metadata: trailing ?? null }),
    );
  }
}
