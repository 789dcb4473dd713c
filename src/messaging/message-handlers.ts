import { isUint8Array } from 'node:util/types';
import { messageOf } from '../errors/selvedge-error.ts';
import type { InboundRequest } from '../exchange/inbound-request.ts';
import type { Priority } from '../exchange/request-route.ts';
import { Repeats } from '../lifecycle/repeats.ts';
import type { Caller } from '../rpc/caller.ts';
import { isMessageKind } from '../rpc/message-path.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MessageMetrics } from '../telemetry/message-metrics.ts';

/** A message of another node, as its handler gets it. */
export interface Message {
  readonly kind: string;
  /** A view of what was received: who keeps a small part of it for long should copy that. */
  readonly payload: Buffer;
  /** The node over whose stream it came. With `nodeIdentity` its certificate has proven that name, else it may have said any. */
  readonly from: string;
  /** Who that is by its certificate, and what it may do. */
  readonly caller: Caller;
  readonly priority: Priority;
  /** Until when the sender waits; undefined where it waits for no reply, or for ever. */
  readonly deadline: Date | undefined;
  /** Aborted when nobody waits for the reply any more. */
  readonly signal: AbortSignal;
  /** Whether the sender waits for a reply. What a handler returns for one that does not is dropped. */
  readonly expectsReply: boolean;
}

/**
 * Answers messages of one kind. What it returns is the reply, empty where that is nothing. What it throws fails the
 * request as `handler_failed`, without its text: what is to be told belongs into a reply. Of one peer and kind that is five
 * log lines in ten seconds.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: handlers that return nothing are functions of type void.
export type MessageHandler = (message: Message) => Uint8Array | void | Promise<Uint8Array | void>;

const NOTHING: Uint8Array = new Uint8Array(0);

export interface MessageHandlersParts {
  readonly logger: Logger;
  readonly metrics: MessageMetrics;
}

/** Handlers of messages by kind. */
export class MessageHandlers {
  readonly #parts: MessageHandlersParts;
  readonly #handlers = new Map<string, MessageHandler>();
  readonly #repeats = new Repeats();

  constructor(parts: MessageHandlersParts) {
    this.#parts = parts;
  }

  /**
   * @returns takes it away again: further messages of the kind fail as `no_handler`.
   * @throws TypeError for a kind that is none, or has a handler.
   */
  handle(kind: string, handler: MessageHandler): () => void {
    if (!isMessageKind(kind)) throw new TypeError(`not a kind of message: ${JSON.stringify(kind)}`);
    if (this.#handlers.has(kind)) throw new TypeError(`messages of the kind ${kind} have a handler already`);
    this.#handlers.set(kind, handler);
    return () => {
      if (this.#handlers.get(kind) === handler) this.#handlers.delete(kind);
    };
  }

  /** Serves a message of a peer. Who may not send it does not learn whether there is a handler. */
  serve(request: InboundRequest, guard: StreamGuard, from: string): void {
    const caller = guard.caller();
    const { name: kind } = request;
    if (caller === undefined) return this.#refuse(request, 'declined');
    const handler = this.#handlers.get(kind);
    if (handler === undefined && !isMessageKind(kind)) return this.#refuse(request, 'no_handler');
    if (!guard.decide(caller, kind).allowed) return this.#refuse(request, 'not_allowed');
    if (handler === undefined) return this.#refuse(request, 'no_handler');
    try {
      const reply = handler(new ReceivedMessage(request, caller, from));
      if (isThenable(reply))
        Promise.resolve(reply).then(
          late => this.#answer(request, from, late),
          error => this.#failed(request, from, error),
        );
      else this.#answer(request, from, reply);
    } catch (error) {
      this.#failed(request, from, error);
    }
  }

  #answer(request: InboundRequest, node: string, reply: unknown): void {
    const bytes = reply ?? NOTHING;
    if (!isUint8Array(bytes)) return this.#failed(request, node, new TypeError('a handler returns bytes, or nothing'));
    this.#parts.metrics.received(request.index, 'ok');
    request.reply(NOTHING, bytes);
  }

  #refuse(request: InboundRequest, reason: 'declined' | 'no_handler' | 'not_allowed'): void {
    this.#parts.metrics.received(request.index, reason);
    request.fail(reason);
  }

  #failed(request: InboundRequest, node: string, error: unknown): void {
    const { logger, metrics } = this.#parts;
    metrics.received(request.index, 'handler_failed');
    request.fail('handler_failed');
    // Peers choose how often they ask for what fails.
    const suppressed = this.#repeats.next(`${node} ${request.name}`, Date.now());
    if (suppressed === undefined) return;
    const facts = { node, kind: request.name, problem: messageOf(error) };
    logger.warn('message.handler_failed', suppressed === 0 ? facts : { ...facts, suppressed });
  }
}

function isThenable(reply: unknown): boolean {
  return typeof reply === 'object' && reply !== null && 'then' in reply && typeof reply.then === 'function';
}

class ReceivedMessage implements Message {
  readonly caller: Caller;
  readonly from: string;
  readonly #request: InboundRequest;
  #signal: AbortSignal | undefined;

  constructor(request: InboundRequest, caller: Caller, from: string) {
    this.#request = request;
    this.caller = caller;
    this.from = from;
  }

  get kind(): string {
    return this.#request.name;
  }

  get payload(): Buffer {
    return this.#request.payload;
  }

  get priority(): Priority {
    return this.#request.priority;
  }

  get expectsReply(): boolean {
    return !this.#request.isOneWay;
  }

  get deadline(): Date | undefined {
    const { deadlineMs } = this.#request;
    return deadlineMs === Number.POSITIVE_INFINITY ? undefined : new Date(deadlineMs);
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const abort = new AbortController();
      this.#signal = abort.signal;
      this.#request.onCancel(() => abort.abort());
    }
    return this.#signal;
  }
}
