import * as grpc from '@grpc/grpc-js';
import type { Call, CallArguments, CallListener, MessageContext } from '../rpc/grpc-call.ts';
import { isUnprocessed } from './unprocessed.ts';

/** Beyond this many message bytes a call is not kept for another try. */
const MAX_REPLAY_BYTES = 262_144;

let lastCallNumber = 0;

/** A server that refuses streams again and again is not asked forever. */
const MAX_RETURNS = 5;

/** A message as it was given to the facade. */
interface Message {
  readonly context: MessageContext;
  readonly bytes: Buffer;
  isReported: boolean;
}

/** What a facade call tells those it belongs to. */
export interface CallOwner {
  /** The call came back from a connection that went away before any server processed it: it needs another one. */
  returned?(call: FacadeCall): void;
  /** Once, with the final status code. */
  ended(call: FacadeCall, code: grpc.status): void;
}

/** What a call runs over. */
export interface CallCarrier {
  createCall(...args: CallArguments): Call;
  /** The call ended or came back. */
  release?(call: FacadeCall): void;
}

/**
 * A call that may have to wait for a connection, and comes back from one that turned out to be gone. What is asked of
 * it is kept until the server answers, so that it can be asked again. It hears the real call itself.
 *
 * F1. The status is delivered exactly once, whether it comes from the real call or from `fail`.
 * F2. A call comes back only when no server has processed it, and before any answer.
 * F3. Messages go out one at a time, each when the one before is written, also when they are sent again: grpc-js keeps
 *     but one that is not. Whoever wrote a message is told so once.
 */
export class FacadeCall implements Call, CallListener {
  readonly args: CallArguments;
  /** By `performance.now()`. */
  readonly startedAtMs: number = performance.now();
  readonly #owner: CallOwner;
  readonly #number: number;
  #credentials: grpc.CallCredentials | undefined;
  #metadata: grpc.Metadata | undefined;
  #listener: CallListener | undefined;
  #isReading = false;
  /** Those that may have to be sent again, and those that the present call was not asked to send yet. */
  #messages: Message[] = [];
  #keptBytes = 0;
  /** How many of them the present call was asked to send. */
  #sent = 0;
  #isWriting = false;
  /** Whether the call is to be half closed, and whether the present one was asked to. */
  #halfClose: 'open' | 'asked' | 'done' = 'open';
  #mayReturn = true;
  #returns = 0;
  #carrier: CallCarrier | undefined;
  #call: Call | undefined;
  /** What `fail` told a running call. */
  #failedWith: { readonly details: string; readonly metadata: grpc.Metadata } | undefined;
  #status: grpc.StatusObject | undefined;

  /** Without `owner.returned` the call fails instead of coming back. */
  constructor(args: CallArguments, owner: CallOwner) {
    this.args = args;
    this.#owner = owner;
    lastCallNumber += 1;
    this.#number = lastCallNumber;
  }

  get ended(): boolean {
    return this.#status !== undefined;
  }

  /** Gives the call to a channel. */
  dispatch(carrier: CallCarrier): void {
    if (this.ended || this.#call !== undefined) return;
    const call = carrier.createCall(...this.args);
    this.#carrier = carrier;
    this.#call = call;
    this.#sent = 0;
    this.#isWriting = false;
    if (this.#halfClose === 'done') this.#halfClose = 'asked';
    if (this.#credentials !== undefined) call.setCredentials(this.#credentials);
    if (this.#metadata !== undefined) call.start(this.#metadata, this);
    if (this.#isReading) call.startRead();
    this.#send(call);
  }

  /** Ends the call with a status of ours. */
  fail(code: grpc.status, details: string, metadata: grpc.Metadata = new grpc.Metadata()): void {
    if (this.#call !== undefined) {
      // grpc-js takes no metadata here; it is laid to the status when that arrives.
      this.#failedWith = { details, metadata };
      return this.#call.cancelWithStatus(code, details);
    }
    if (this.ended) return;
    const status = { code, details, metadata };
    this.#end(status);
    if (this.#listener !== undefined) deliverSoon(status, this.#listener);
  }

  start(metadata: grpc.Metadata, listener: CallListener): void {
    this.#listener = listener;
    if (this.#status !== undefined) return deliverSoon(this.#status, listener);
    this.#metadata = metadata;
    this.#call?.start(metadata, this);
  }

  cancelWithStatus(status: grpc.status, details: string): void {
    this.fail(status, details);
  }

  getPeer(): string {
    return this.#call?.getPeer() ?? 'unknown';
  }

  sendMessageWithContext(context: MessageContext, bytes: Buffer): void {
    if (this.ended) return;
    this.#messages.push({ context, bytes, isReported: false });
    this.#keptBytes += bytes.length;
    if (this.#call === undefined) return;
    this.#send(this.#call);
    if (this.#keptBytes > MAX_REPLAY_BYTES) this.#commit();
  }

  startRead(): void {
    this.#isReading = true;
    if (!this.ended) this.#call?.startRead();
  }

  halfClose(): void {
    if (this.ended) return;
    this.#halfClose = 'asked';
    if (this.#call !== undefined) this.#send(this.#call);
  }

  getCallNumber(): number {
    return this.#number;
  }

  setCredentials(credentials: grpc.CallCredentials): void {
    this.#credentials = credentials;
    this.#call?.setCredentials(credentials);
  }

  getAuthContext(): ReturnType<Call['getAuthContext']> {
    return this.#call?.getAuthContext() ?? null;
  }

  onReceiveMetadata(metadata: grpc.Metadata): void {
    this.#commit();
    this.#listener?.onReceiveMetadata(metadata);
  }

  onReceiveMessage(message: unknown): void {
    this.#listener?.onReceiveMessage(message);
  }

  onReceiveStatus(received: grpc.StatusObject): void {
    const failed = this.#failedWith;
    const status = failed !== undefined && failed.details === received.details ? { ...received, ...failed } : received;
    if (this.ended || this.#comesBack(status)) return;
    this.#end(status);
    this.#listener?.onReceiveStatus(status);
  }

  #send(call: Call): void {
    while (call === this.#call && !this.#isWriting) {
      const message = this.#mayReturn ? this.#messages[this.#sent] : this.#messages.shift();
      if (message === undefined) break;
      if (this.#mayReturn) this.#sent += 1;
      this.#isWriting = true;
      const callback: MessageContext['callback'] = error => this.#onWritten(call, message, error);
      call.sendMessageWithContext({ ...message.context, callback }, message.bytes);
    }
    if (call !== this.#call || this.#halfClose !== 'asked' || this.#sent < this.#messages.length) return;
    this.#halfClose = 'done';
    call.halfClose();
  }

  #onWritten(call: Call, message: Message, error: Error | null | undefined): void {
    if (!message.isReported) message.context.callback?.(error);
    message.isReported = true;
    if (call !== this.#call) return;
    this.#isWriting = false;
    this.#send(call);
  }

  /** From now on the call stays where it is, and what it sent is forgotten. */
  #commit(): void {
    this.#mayReturn = false;
    this.#messages = this.#messages.slice(this.#sent);
    this.#sent = 0;
  }

  #comesBack(status: grpc.StatusObject): boolean {
    if (!this.#mayReturn || this.#owner.returned === undefined) return false;
    if (!isUnprocessed(status) || this.#returns === MAX_RETURNS) return false;
    this.#returns += 1;
    this.#call = undefined;
    this.#leave();
    this.#owner.returned(this);
    return true;
  }

  #end(status: grpc.StatusObject): void {
    this.#status = status;
    this.#messages = [];
    this.#leave();
    this.#owner.ended(this, status.code);
  }

  #leave(): void {
    const carrier = this.#carrier;
    this.#carrier = undefined;
    carrier?.release?.(this);
  }
}

/** Callers of grpc-js count on a status never arriving within the call that caused it. */
function deliverSoon(status: grpc.StatusObject, listener: CallListener): void {
  process.nextTick(() => listener.onReceiveStatus(status));
}
