import { isUint8Array } from 'node:util/types';
import type { MessageFailure, Processed } from '../errors/message-failure.ts';
import { SelvedgeError } from '../errors/selvedge-error.ts';
import type { InboundRequest } from '../exchange/inbound-request.ts';
import type { PeerExchange } from '../exchange/peer-exchange.ts';
import { PendingRequest } from '../exchange/pending-request.ts';
import { type PriorityIndex, priorityIndex, RECORD } from '../exchange/record.ts';
import { PRIORITIES, type Priority } from '../exchange/request-route.ts';
import { isMessageKind } from '../rpc/message-path.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';
import type { MessageMetrics } from '../telemetry/message-metrics.ts';
import { type MessageHandler, MessageHandlers, type MessageHandlersParts } from './message-handlers.ts';

export interface MessageOptions {
  /** How long to wait, for the connection and the answer together, in milliseconds. Default 10,000; `Infinity` for ever. */
  readonly timeoutMs?: number | undefined;
  /** Default `normal`. */
  readonly priority?: Priority | undefined;
  /** Gives the message up. */
  readonly signal?: AbortSignal | undefined;
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

const DEFAULT_TIMEOUT_MS = 10_000;
const NO_OPTIONS: MessageOptions = {};

function ignore(): void {}

/**
 * Messages between the nodes of the cluster, over the streams that are open between them anyway: a request that is
 * answered costs about a fortieth of the CPU time of a unary gRPC call where many are in flight (docs/benchmarks.md).
 *
 * Messages of one priority to one node arrive in the order they were sent, each at most once. What waits for a node that
 * cannot be reached waits until its deadline; how much may wait is bounded (`queue_full`).
 *
 * What fails rejects with a `SelvedgeError`: `message_failed`, whose facts say why, and in `safeToRetry` whether it is
 * certain that the other node has not processed it; `member_unknown`; `node_closed`. A kind, payload or option that is none
 * rejects with a TypeError.
 */
export class Messages {
  readonly #parts: MessagesParts;
  readonly #handlers: MessageHandlers;
  /** Found good. */
  #lastKind: string | undefined;

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
  request(node: string, kind: string, payload: Uint8Array, options: MessageOptions = NO_OPTIONS): Promise<Buffer> {
    // A reply is never left out.
    return this.#post(node, kind, payload, options, false) as Promise<Buffer>;
  }

  /**
   * Sends a message that is not answered. Resolves when a handler of the other node has taken it, which says nothing about
   * what became of it there. Who does not care may ignore the promise: nothing breaks where it is rejected.
   */
  send(node: string, kind: string, payload: Uint8Array, options: MessageOptions = NO_OPTIONS): Promise<void> {
    const taken = this.#post(node, kind, payload, options, true) as Promise<undefined>;
    taken.catch(ignore);
    return taken;
  }

  /**
   * Sends a message to every node that has all of these labels; without labels to all members and this node. Rejects only
   * where what is to be sent is none, also where nobody has the labels.
   */
  async publish(
    { labels }: { readonly labels: Readonly<Record<string, string>> },
    kind: string,
    payload: Uint8Array,
    options: MessageOptions = NO_OPTIONS,
  ): Promise<readonly Delivery[]> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, priority = 'normal' } = options;
    this.#check(kind, payload, timeoutMs, priority);
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

  /** @throws TypeError where one of them is none. */
  #check(kind: string, payload: Uint8Array, timeoutMs: number, priority: Priority): void {
    if (kind !== this.#lastKind && !isMessageKind(kind))
      throw new TypeError(`not a kind of message: ${JSON.stringify(kind)}`);
    this.#lastKind = kind;
    if (!isUint8Array(payload)) throw new TypeError('a payload is a Uint8Array');
    if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs)) throw new TypeError('timeoutMs is a number');
    if (!PRIORITIES.includes(priority)) throw new TypeError(`a priority is one of ${PRIORITIES.join(', ')}`);
  }

  #post(
    node: string,
    kind: string,
    payload: Uint8Array,
    options: MessageOptions,
    isOneWay: boolean,
  ): Promise<Buffer | undefined> {
    const promise = new Promise<Buffer | undefined>(capture);
    const { resolve, reject } = captured;
    try {
      const { timeoutMs = DEFAULT_TIMEOUT_MS, priority = 'normal', signal } = options;
      this.#check(kind, payload, timeoutMs, priority);
      const exchange = this.#parts.exchangeWith(node);
      const { metrics } = this.#parts;
      const message = new OwnMessage(isOneWay, priorityIndex(priority), node, kind, payload, resolve, reject, metrics);
      if (signal?.aborted === true) message.fail('cancelled', 'no');
      else {
        if (signal !== undefined) message.giveUpWith(signal);
        exchange.post(message, timeoutMs === Number.POSITIVE_INFINITY ? undefined : timeoutMs);
      }
    } catch (error) {
      reject(error);
    }
    return promise;
  }
}

type Resolve = (reply: Buffer | undefined) => void;
type Reject = (error: unknown) => void;

/** What makes a promise calls this at once; that it is one function for all promises makes each of them cheaper. */
const captured: { resolve: Resolve; reject: Reject } = { resolve: () => {}, reject: () => {} };
function capture(resolve: Resolve, reject: Reject): void {
  captured.resolve = resolve;
  captured.reject = reject;
}

/** A message of this node, until its promise is settled. */
class OwnMessage extends PendingRequest {
  readonly #node: string;
  readonly #resolve: Resolve;
  readonly #reject: Reject;
  readonly #metrics: MessageMetrics;
  #stopListening: (() => void) | undefined = undefined;

  constructor(
    isOneWay: boolean,
    priority: PriorityIndex,
    node: string,
    kind: string,
    payload: Uint8Array,
    resolve: Resolve,
    reject: Reject,
    metrics: MessageMetrics,
  ) {
    super(isOneWay, priority, kind, undefined, payload);
    this.#node = node;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#metrics = metrics;
  }

  giveUpWith(signal: AbortSignal): void {
    const giveUp = () => this.cancel();
    signal.addEventListener('abort', giveUp, { once: true });
    this.#stopListening = () => signal.removeEventListener('abort', giveUp);
  }

  protected replied(_header: Buffer, payload: Buffer): void {
    this.#stopListening?.();
    this.#metrics.sent(this.priority, 'ok');
    this.#resolve(this.type === RECORD.message ? undefined : payload);
  }

  protected failed(reason: MessageFailure, detail: string, processed: Processed): void {
    this.#stopListening?.();
    this.#metrics.sent(this.priority, reason);
    this.#reject(failure(this.#node, this.name, reason, detail, processed));
  }
}

function failure(
  node: string,
  kind: string,
  reason: MessageFailure,
  detail: string,
  processed: Processed,
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
