import * as grpc from '@grpc/grpc-js';

/** What hears of a call: the next one towards the handler. */
export type CallListener = Parameters<grpc.ServerInterceptingCall['start']>[0];
export type CallStatus = Parameters<grpc.ServerInterceptingCall['sendStatus']>[0];

/**
 * One call, between grpc-js and the handler, that passes on everything as it is; what is to be looked at is overridden.
 * The layers that `ServerInterceptingCall` offers for that cost more than everything that is done with a call here, so
 * none of them is used.
 */
export class PassingCall extends grpc.ServerInterceptingCall implements CallListener {
  protected readonly call: grpc.ServerInterceptingCallInterface;
  protected handler: CallListener | undefined;

  constructor(call: grpc.ServerInterceptingCallInterface) {
    super(call);
    this.call = call;
  }

  override start(handler: CallListener): void {
    this.handler = handler;
    this.call.start(this);
  }

  onReceiveMetadata(metadata: grpc.Metadata): void {
    this.handler?.onReceiveMetadata(metadata);
  }

  onReceiveMessage(message: unknown): void {
    this.handler?.onReceiveMessage(message);
  }

  onReceiveHalfClose(): void {
    this.handler?.onReceiveHalfClose();
  }

  onCancel(): void {
    this.handler?.onCancel();
  }

  override sendMetadata(metadata: grpc.Metadata): void {
    this.call.sendMetadata(metadata);
  }

  override sendMessage(message: unknown, callback: () => void): void {
    this.call.sendMessage(message, callback);
  }

  override sendStatus(status: CallStatus): void {
    this.call.sendStatus(status);
  }
}
