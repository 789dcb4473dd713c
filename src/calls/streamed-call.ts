import { AsyncResource } from 'node:async_hooks';
import * as grpc from '@grpc/grpc-js';
import type { RequestOutcome } from '../exchange/request-route.ts';
import { throwLater } from '../lifecycle/throw-later.ts';
import type { Call, CallArguments, CallListener, MessageContext } from '../rpc/grpc-call.ts';
import { goesTheOrdinaryWay, statusOfFailure } from './outcome-status.ts';
import { ownBytes } from './own-bytes.ts';
import { decodeReplyHeader, type ReplyHeader } from './reply-header.ts';
import { encodeRequestHeader } from './request-header.ts';
import type { UnaryChannelParts } from './unary-channel.ts';

let lastCallNumber = 0;

/**
 * A unary call that goes over the stream when its message is complete, if the stream takes it, and else is an ordinary
 * call that is asked the same.
 *
 * C1. It is on one way at a time, and on the ordinary one to its end: there it was asked all that was asked of this.
 * C2. It leaves the stream for the ordinary way only when the other node has not dealt with it.
 * C3. The status is delivered once, after everything else, and never within a call of the one who asked.
 * C4. It is counted once: here where it ends here, else by the ordinary channel.
 */
export class StreamedCall implements Call {
  readonly #args: CallArguments;
  readonly #parts: UnaryChannelParts;
  readonly #startedAtMs = performance.now();
  #metadata: grpc.Metadata | undefined;
  #listener: CallListener | undefined;
  /** The encoded metadata, as of `start`; undefined where the stream cannot carry it. */
  #header: Uint8Array | undefined;
  #message: Buffer | undefined;
  #context: MessageContext | undefined;
  #credentials: grpc.CallCredentials | undefined;
  #isReading = false;
  #isHalfClosed = false;
  /** Gives up the request on the stream. */
  #underway: { cancel(): void } | undefined;
  #ordinary: Call | undefined;
  /** What came before anybody read. */
  #unread: { readonly header: ReplyHeader; readonly payload: Buffer } | undefined;
  #onParentCancelled: (() => void) | undefined;
  #isEnded = false;
  #cancelledWith: grpc.StatusObject | undefined;
  #number = 0;

  constructor(args: CallArguments, parts: UnaryChannelParts) {
    this.#args = args;
    this.#parts = parts;
  }

  start(metadata: grpc.Metadata, listener: CallListener): void {
    this.#listener = listener;
    if (this.#ordinary !== undefined) return this.#ordinary.start(metadata, listener);
    if (this.#cancelledWith !== undefined) return deliverSoon(this.#cancelledWith, listener);
    this.#metadata = metadata;
    this.#header = encodeRequestHeader(metadata);
  }

  sendMessageWithContext(context: MessageContext, message: Buffer): void {
    if (this.#isEnded || this.#isHalfClosed) return;
    if (this.#ordinary === undefined && this.#message !== undefined) this.#goOrdinary();
    if (this.#ordinary !== undefined) return this.#ordinary.sendMessageWithContext(context, message);
    this.#context = context;
    this.#message = message;
  }

  startRead(): void {
    if (this.#ordinary !== undefined) return this.#ordinary.startRead();
    this.#isReading = true;
    const unread = this.#unread;
    if (unread === undefined) return;
    this.#unread = undefined;
    process.nextTick(() => this.#deliver(unread.header, unread.payload));
  }

  halfClose(): void {
    if (this.#isEnded || this.#isHalfClosed) return;
    this.#isHalfClosed = true;
    if (this.#ordinary !== undefined) this.#ordinary.halfClose();
    else if (!this.#tryStream()) this.#goOrdinary();
  }

  cancelWithStatus(code: grpc.status, details: string): void {
    if (this.#ordinary !== undefined) return this.#ordinary.cancelWithStatus(code, details);
    if (this.#isEnded) return;
    this.#end(code);
    this.#underway?.cancel();
    this.#cancelledWith = { code, details, metadata: new grpc.Metadata() };
    if (this.#listener !== undefined) deliverSoon(this.#cancelledWith, this.#listener);
  }

  setCredentials(credentials: grpc.CallCredentials): void {
    this.#credentials = credentials;
    this.#ordinary?.setCredentials(credentials);
  }

  getPeer(): string {
    return this.#ordinary?.getPeer() ?? this.#parts.channel.getTarget();
  }

  getCallNumber(): number {
    if (this.#number === 0) {
      lastCallNumber += 1;
      this.#number = lastCallNumber;
    }
    return this.#number;
  }

  getAuthContext(): ReturnType<Call['getAuthContext']> {
    return this.#ordinary?.getAuthContext() ?? null;
  }

  #tryStream(): boolean {
    const [name, , host] = this.#args;
    const { route, maxRequestBytes } = this.#parts;
    const [header, payload, context] = [this.#header, this.#message, this.#context];
    if (header === undefined || payload === undefined || this.#credentials !== undefined || host != null) return false;
    if (header.length + payload.length > maxRequestBytes) return false;
    const timeoutMs = this.#timeoutMs();
    // A deadline that has passed is worded, and a parent that is cancelled is heard, by grpc-js.
    if (timeoutMs !== undefined && !(timeoutMs > 0)) return false;
    if (this.#propagates(grpc.propagate.CANCELLATION) && this.#args[3]?.cancelled === true) return false;
    const request = { name, header, payload, priority: 'normal', timeoutMs } as const;
    // As over HTTP/2, an `AsyncLocalStorage` has in the callbacks of a call what it had where the call was made.
    const scope = new AsyncResource('SelvedgeCall');
    this.#underway = route.tryRequest(request, outcome => scope.runInAsyncScope(this.#settle, this, outcome));
    if (this.#underway === undefined) return false;
    this.#followParent();
    if (context?.callback !== undefined) {
      // It is told once that the message is written, also when that is sent again.
      process.nextTick(context.callback);
      this.#context = context.flags === undefined ? {} : { flags: context.flags };
    }
    return true;
  }

  #timeoutMs(): number | undefined {
    const [, deadline, , parent] = this.#args;
    let deadlineMs = Number(deadline);
    if (parent != null && this.#propagates(grpc.propagate.DEADLINE))
      deadlineMs = Math.min(deadlineMs, Number(parent.getDeadline()));
    return deadlineMs === Number.POSITIVE_INFINITY ? undefined : deadlineMs - Date.now();
  }

  #propagates(what: grpc.propagate): boolean {
    return this.#args[3] != null && ((this.#args[4] ?? grpc.propagate.DEFAULTS) & what) !== 0;
  }

  #followParent(): void {
    if (!this.#propagates(grpc.propagate.CANCELLATION)) return;
    this.#onParentCancelled = () => this.cancelWithStatus(grpc.status.CANCELLED, 'Cancelled by parent call');
    this.#args[3]?.once('cancelled', this.#onParentCancelled);
  }

  #forgetParent(): void {
    if (this.#onParentCancelled === undefined) return;
    this.#args[3]?.off('cancelled', this.#onParentCancelled);
    this.#onParentCancelled = undefined;
  }

  #settle(outcome: RequestOutcome): void {
    this.#underway = undefined;
    if (this.#isEnded) return;
    try {
      if (outcome.kind === 'replied') this.#take(outcome.header, outcome.payload);
      else if (goesTheOrdinaryWay(outcome)) this.#goOrdinary();
      else this.#finish(statusOfFailure(outcome, this.#parts.name));
    } catch (error) {
      // What an application throws in its callback is its own, as in grpc-js: the stream goes on.
      throwLater(error);
    }
  }

  #take(headerBytes: Buffer, payload: Buffer): void {
    let header: ReplyHeader;
    try {
      header = decodeReplyHeader(headerBytes);
    } catch {
      return this.#fail(grpc.status.INTERNAL, `the reply of ${this.#parts.name} is malformed`);
    }
    const { maxReplyBytes } = this.#parts;
    if (payload.length > maxReplyBytes) {
      const details = `Received message larger than max (${payload.length} vs. ${maxReplyBytes})`;
      return this.#fail(grpc.status.RESOURCE_EXHAUSTED, details);
    }
    if (this.#isReading || !header.hasMessage) this.#deliver(header, payload);
    else this.#unread = { header, payload };
  }

  /** Whoever hears a part may cancel the call, which then has another status. */
  #deliver({ hasMessage, initial, code, details, trailing: metadata }: ReplyHeader, payload: Buffer): void {
    if (initial !== undefined && !this.#isEnded) this.#listener?.onReceiveMetadata(initial);
    if (hasMessage && !this.#isEnded) this.#listener?.onReceiveMessage(ownBytes(payload));
    if (!this.#isEnded) this.#finish({ code, details, metadata });
  }

  #fail(code: grpc.status, details: string): void {
    this.#finish({ code, details, metadata: new grpc.Metadata() });
  }

  #finish(status: grpc.StatusObject): void {
    this.#end(status.code);
    this.#listener?.onReceiveStatus(status);
  }

  #end(code: grpc.status): void {
    this.#isEnded = true;
    this.#forgetParent();
    const calls = this.#parts.calls.of(this.#args[0]);
    calls.ended(grpc.status[code] ?? 'UNKNOWN', performance.now() - this.#startedAtMs);
  }

  #goOrdinary(): void {
    this.#forgetParent();
    const call = this.#parts.channel.createCall(...this.#args);
    this.#ordinary = call;
    if (this.#credentials !== undefined) call.setCredentials(this.#credentials);
    if (this.#metadata !== undefined && this.#listener !== undefined) call.start(this.#metadata, this.#listener);
    if (this.#isReading) call.startRead();
    if (this.#message !== undefined) call.sendMessageWithContext(this.#context ?? {}, this.#message);
    if (this.#isHalfClosed) call.halfClose();
  }
}

/** Callers of grpc-js count on a status never arriving within the call that caused it. */
function deliverSoon(status: grpc.StatusObject, listener: CallListener): void {
  process.nextTick(() => listener.onReceiveStatus(status));
}
