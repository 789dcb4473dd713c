import * as grpc from '@grpc/grpc-js';
import type { Call, CallArguments } from '../../src/rpc/grpc-call.ts';

type Listener = Parameters<Call['start']>[1];

/** A call that does nothing by itself: it keeps what was asked of it, and answers what it is told to. */
export class FakeCall implements Call {
  readonly asked: string[] = [];
  readonly #contexts: Parameters<Call['sendMessageWithContext']>[0][] = [];
  #listener: Listener | undefined;

  /** Says that all messages are written, as grpc-js does also of a call that is lost then. */
  confirmMessages(): void {
    for (const context of this.#contexts.splice(0)) context.callback?.();
  }

  answerMetadata(): void {
    this.#listener?.onReceiveMetadata(new grpc.Metadata());
  }

  answerMessage(text: string): void {
    this.#listener?.onReceiveMessage(Buffer.from(text));
  }

  answerStatus(code: grpc.status, details = ''): void {
    this.#listener?.onReceiveStatus({ code, details, metadata: new grpc.Metadata() });
  }

  start(_metadata: grpc.Metadata, listener: Listener): void {
    this.asked.push('start');
    this.#listener = listener;
  }

  sendMessageWithContext(...[context, message]: Parameters<Call['sendMessageWithContext']>): void {
    this.asked.push(`send ${message.length > 20 ? message.length : message}`);
    this.#contexts.push(context);
  }

  startRead(): void {
    this.asked.push('read');
  }

  halfClose(): void {
    this.asked.push('halfClose');
  }

  cancelWithStatus(code: grpc.status, details: string): void {
    this.asked.push(`cancel ${grpc.status[code]}`);
    this.answerStatus(code, details);
  }

  setCredentials(): void {
    this.asked.push('setCredentials');
  }

  getPeer(): string {
    return 'fake:1';
  }

  getCallNumber(): number {
    return 1;
  }

  getAuthContext(): ReturnType<Call['getAuthContext']> {
    return null;
  }
}

/** A channel of {@link FakeCall}s. */
export class FakeChannel implements grpc.ChannelInterface {
  readonly calls: FakeCall[] = [];
  state: grpc.connectivityState = grpc.connectivityState.IDLE;

  get last(): FakeCall {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error('nothing was called');
    return call;
  }

  createCall(..._args: CallArguments): FakeCall {
    const call = new FakeCall();
    this.calls.push(call);
    return call;
  }

  getConnectivityState(): grpc.connectivityState {
    return this.state;
  }

  watchConnectivityState(): never {
    throw new Error('not watched');
  }

  getTarget(): string {
    return 'fake';
  }

  getChannelzRef(): never {
    throw new Error('no channelz');
  }

  close(): void {}
}
