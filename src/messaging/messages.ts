import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { InboundRequest } from '../exchange/inbound-request.ts';
import type { PeerExchange } from '../exchange/peer-exchange.ts';
import { priorityIndex } from '../exchange/record.ts';
import type { Priority, RequestOutcome } from '../exchange/request-route.ts';
import { isMessageKind } from '../rpc/message-path.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import { type MessageHandler, MessageHandlers, type MessageHandlersParts } from './message-handlers.ts';

export interface MessageOptions {
  /** How long to wait, for the connection and the answer together, in milliseconds. Default 10,000; `Infinity` for ever. */
  readonly timeoutMs?: number;
  /** Default `normal`. */
  readonly priority?: Priority;
  /** Gives the message up. */
  readonly signal?: AbortSignal;
}

/** What became of a message to one of several nodes. */
export interface Delivery {
  readonly node: string;
  /** Why it is not known to have arrived; undefined where it has. */
  readonly error: SelvedgeError | undefined;
}

export interface MessagesParts extends MessageHandlersParts {
  readonly nodeName: string;
  /** The exchange with a node. @throws member_unknown, node_closed */
  readonly exchangeWith: (node: string) => PeerExchange;
  /** Nodes that have all of these labels, this one included. */
  readonly nodesWith: (labels: Readonly<Record<string, string>>) => readonly string[];
}

const NOTHING: Uint8Array = new Uint8Array(0);
const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Messages between the nodes of the cluster, over the streams that are open between them anyway: a request that is
 * answered costs about a hundredth of the CPU time of a unary gRPC call.
 *
 * Messages of one priority to one node arrive in the order they were sent, each at most once. What waits for a node that
 * cannot be reached waits until its deadline; how much may wait is bounded (`queue_full`).
 *
 * What fails rejects with a `SelvedgeError`: `message_failed`, whose facts say why, and in `safeToRetry` whether it is
 * certain that the other node has not processed it; `member_unknown`; `node_closed`.
 */
export class Messages {
  readonly #parts: MessagesParts;
  readonly #handlers: MessageHandlers;

  constructor(parts: MessagesParts) {
    this.#parts = parts;
    this.#handlers = new MessageHandlers(parts);
  }

  /**
   * Answers messages of a kind from now on. A kind is 1 to 64 characters of `a-z 0-9 . _ -`; policies know it as the
   * method `/selvedge.message/KIND`.
   * @returns takes the handler away again.
   * @throws TypeError for a kind that is none, or has a handler.
   */
  handle(kind: string, handler: MessageHandler): () => void {
    return this.#handlers.handle(kind, handler);
  }

  /**
   * Sends a message and waits for the reply. `payload` must not be changed before that.
   * @param node a member, or this node itself.
   */
  request(node: string, kind: string, payload: Uint8Array, options: MessageOptions = {}): Promise<Buffer> {
    return this.#post(node, kind, payload, options, false);
  }

  /**
   * Sends a message that is not answered. Resolves when a handler of the other node has taken it, which says nothing about
   * what became of it there. Who does not care may ignore the promise: nothing breaks where it is rejected.
   */
  send(node: string, kind: string, payload: Uint8Array, options: MessageOptions = {}): Promise<void> {
    const taken = this.#post(node, kind, payload, options, true).then(() => {});
    taken.catch(() => {});
    return taken;
  }

  /** Sends a message to every node that has all of these labels; without labels to all members and this node. */
  publish(
    { labels }: { readonly labels: Readonly<Record<string, string>> },
    kind: string,
    payload: Uint8Array,
    options: MessageOptions = {},
  ): Promise<readonly Delivery[]> {
    const sent = this.#parts.nodesWith(labels).map(async (node): Promise<Delivery> => {
      try {
        await this.#post(node, kind, payload, options, true);
        return { node, error: undefined };
      } catch (error) {
        if (error instanceof SelvedgeError) return { node, error };
        throw error;
      }
    });
    return Promise.all(sent);
  }

  /** Serves what a peer sent. */
  serve(request: InboundRequest, guard: StreamGuard, from: string): void {
    this.#handlers.serve(request, guard, from);
  }

  #post(node: string, kind: string, payload: Uint8Array, options: MessageOptions, isOneWay: boolean): Promise<Buffer> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, priority = 'normal', signal } = options;
    return new Promise((resolve, reject) => {
      if (!isMessageKind(kind)) throw new TypeError(`not a kind of message: ${JSON.stringify(kind)}`);
      const exchange = this.#parts.exchangeWith(node);
      const request = {
        name: kind,
        header: NOTHING,
        payload,
        priority,
        timeoutMs: timeoutMs === Number.POSITIVE_INFINITY ? undefined : timeoutMs,
      };
      const index = priorityIndex(priority);
      let stopListening: (() => void) | undefined;
      const settle = (outcome: RequestOutcome): void => {
        stopListening?.();
        this.#parts.metrics.sent(index, outcome.kind === 'replied' ? 'ok' : outcome.reason);
        if (outcome.kind === 'replied') resolve(outcome.payload);
        else reject(failure(node, kind, outcome));
      };
      if (signal?.aborted === true) return reject(failure(node, kind, GIVEN_UP));
      const giveUp = exchange.post(request, settle, isOneWay);
      if (signal === undefined) return;
      signal.addEventListener('abort', giveUp, { once: true });
      stopListening = () => signal.removeEventListener('abort', giveUp);
    });
  }
}

const GIVEN_UP = { kind: 'failed', reason: 'cancelled', detail: '', processed: 'no' } as const;

function failure(
  node: string,
  kind: string,
  { reason, detail, processed }: Extract<RequestOutcome, { kind: 'failed' }>,
): SelvedgeError<'message_failed'> {
  const safeToRetry = processed === 'no';
  const words = detail === '' ? reason : `${reason}: ${detail}`;
  return new SelvedgeError('message_failed', `the message ${kind} to ${node} failed: ${words}`, {
    node,
    kind,
    reason,
    safeToRetry,
    detail,
  });
}
