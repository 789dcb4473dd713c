import * as grpc from '@grpc/grpc-js';
import { isUnprocessed } from './unprocessed.ts';

/** grpc-js's `Call` is not exported by name; a `ChannelInterface` gives it away. */
export type Call = ReturnType<grpc.ChannelInterface['createCall']>;
export type CallArguments = Parameters<grpc.ChannelInterface['createCall']>;
type InterceptingListener = Parameters<Call['start']>[1];

/** Beyond this many message bytes a call is not kept for another try. */
const MAX_REPLAY_BYTES = 262_144;

let lastCallNumber = 0;

/** A server that refuses streams again and again is not asked forever. */
const MAX_RETURNS = 5;

/** Something that was asked of a call, and may be asked of another one. */
interface Request {
  /** Messages wait for each other, and the end of them for all; the rest is passed on at once. */
  readonly kind: 'at_once' | 'message' | 'half_close';
  ask(call: Call): void;
}

/** What a facade call tells those it belongs to. */
export interface CallOwner {
  /** The call came back from a connection that went away before any server processed it: it needs another one. */
  returned?(call: FacadeCall): void;
  /** Once, with the final status code. */
  ended(call: FacadeCall, code: grpc.status): void;
}

/**
 * A call that may have to wait for a connection, and comes back from one that turned out to be gone. What is asked of
 * it is kept until the server answers, so that it can be asked again.
 *
 * F1. The status is delivered exactly once, whether it comes from the real call or from `fail`.
 * F2. A call comes back only when no server has processed it, and before any answer.
 * F3. Messages go out one at a time, each when the one before is written, also when they are sent again: grpc-js keeps
 *     but one that is not. Whoever wrote a message is told so once.
 */
export class FacadeCall implements Call {
  readonly args: CallArguments;
  readonly #owner: CallOwner;
  readonly #number: number;
  /** What was asked, in order; undefined once the call cannot come back. */
  #asked: Request[] | undefined = [];
  #askedBytes = 0;
  /** Messages, and the end of them, that the present call has not been asked to send yet. */
  #unsent: Request[] = [];
  #isWriting = false;
  #returns = 0;
  #listener: InterceptingListener | undefined;
  #call: Call | undefined;
  /** What `fail` tells besides, once it was called on a running call. */
  #failedWith: grpc.Metadata | undefined;
  #ended: ((listener: InterceptingListener) => void) | undefined;

  /** Without `owner.returned` the call fails instead of coming back. */
  constructor(args: CallArguments, owner: CallOwner) {
    this.args = args;
    this.#owner = owner;
    lastCallNumber += 1;
    this.#number = lastCallNumber;
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Gives the call to a channel. */
  dispatch(channel: grpc.ChannelInterface): void {
    if (this.ended || this.#call !== undefined) return;
    const call = channel.createCall(...this.args);
    this.#call = call;
    const asked = this.#asked ?? [];
    this.#unsent = asked.filter(({ kind }) => kind !== 'at_once');
    this.#isWriting = false;
    for (const request of asked) if (request.kind === 'at_once') request.ask(call);
    this.#send(call);
  }

  /** Ends the call with a status of ours. */
  fail(code: grpc.status, details: string, metadata: grpc.Metadata = new grpc.Metadata()): void {
    if (this.#call !== undefined) {
      this.#failedWith = metadata;
      return this.#call.cancelWithStatus(code, details);
    }
    // Callers of grpc-js count on a status never arriving within the call that caused it.
    this.#end(code, listener => process.nextTick(() => listener.onReceiveStatus({ code, details, metadata })));
  }

  start(metadata: grpc.Metadata, listener: InterceptingListener): void {
    this.#listener = listener;
    if (this.#ended !== undefined) return this.#ended(listener);
    this.#ask('at_once', call =>
      call.start(metadata, {
        onReceiveMetadata: received => {
          this.#asked = undefined;
          listener.onReceiveMetadata(received);
        },
        onReceiveMessage: message => listener.onReceiveMessage(message),
        onReceiveStatus: status => {
          if (this.#comesBack(status)) return;
          // grpc-js takes no metadata with a cancellation.
          const metadata = this.#failedWith ?? status.metadata;
          this.#end(status.code, () => listener.onReceiveStatus({ ...status, metadata }));
        },
      }),
    );
  }

  cancelWithStatus(status: grpc.status, details: string): void {
    this.fail(status, details);
  }

  getPeer(): string {
    return this.#call?.getPeer() ?? 'unknown';
  }

  sendMessageWithContext(...[context, message]: Parameters<Call['sendMessageWithContext']>): void {
    this.#askedBytes += message.length;
    let isReported = false;
    this.#ask('message', call =>
      call.sendMessageWithContext(
        {
          ...context,
          callback: error => {
            if (!isReported) context.callback?.(error);
            isReported = true;
            this.#onWritten(call);
          },
        },
        message,
      ),
    );
    if (this.#askedBytes > MAX_REPLAY_BYTES && this.#call !== undefined) this.#asked = undefined;
  }

  startRead(): void {
    this.#ask('at_once', call => call.startRead());
  }

  halfClose(): void {
    this.#ask('half_close', call => call.halfClose());
  }

  getCallNumber(): number {
    return this.#number;
  }

  setCredentials(credentials: grpc.CallCredentials): void {
    this.#ask('at_once', call => call.setCredentials(credentials));
  }

  getAuthContext(): ReturnType<Call['getAuthContext']> {
    return this.#call?.getAuthContext() ?? null;
  }

  #ask(kind: Request['kind'], ask: Request['ask']): void {
    if (this.ended) return;
    this.#asked?.push({ kind, ask });
    if (this.#call === undefined) return;
    if (kind === 'at_once') return ask(this.#call);
    this.#unsent.push({ kind, ask });
    this.#send(this.#call);
  }

  #send(call: Call): void {
    while (call === this.#call && (!this.#isWriting || this.#unsent[0]?.kind === 'half_close')) {
      const next = this.#unsent.shift();
      if (next === undefined) return;
      if (next.kind === 'message') this.#isWriting = true;
      next.ask(call);
    }
  }

  #onWritten(call: Call): void {
    if (call !== this.#call) return;
    this.#isWriting = false;
    this.#send(call);
  }

  #comesBack(status: { readonly code: grpc.status; readonly details: string }): boolean {
    if (this.ended || this.#asked === undefined || this.#owner.returned === undefined) return false;
    if (!isUnprocessed(status) || this.#returns === MAX_RETURNS) return false;
    this.#returns += 1;
    this.#call = undefined;
    this.#owner.returned(this);
    return true;
  }

  #end(code: grpc.status, deliver: (listener: InterceptingListener) => void): void {
    if (this.ended) return;
    this.#ended = deliver;
    this.#asked = undefined;
    this.#unsent = [];
    this.#owner.ended(this, code);
    if (this.#listener !== undefined) deliver(this.#listener);
  }
}
