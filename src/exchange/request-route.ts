import type { MessageFailure, Processed } from '../errors/message-failure.ts';

/**
 * Which messages go before which, where they wait for one another: all of a higher priority leave before those of a
 * lower one, save for a share that keeps the lower from starving. Messages of one priority keep their order.
 */
export const PRIORITIES = ['high', 'normal', 'bulk'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** One request to another node, whatever it carries. */
export interface OutgoingRequest {
  /** The kind of a message, or `/package.Service/Method` of a call. */
  readonly name: string;
  /** What a call says beside its message; empty for messages. */
  readonly header: Uint8Array;
  /** Must not be changed until the request is settled. */
  readonly payload: Uint8Array;
  readonly priority: Priority;
  /** From now, in milliseconds; undefined where there is no deadline. */
  readonly timeoutMs: number | undefined;
}

/** How a request ended. */
export type RequestOutcome =
  | { readonly kind: 'replied'; readonly header: Buffer; readonly payload: Buffer }
  | {
      readonly kind: 'failed';
      readonly reason: MessageFailure;
      /** Printable; empty where the reason says it all. */
      readonly detail: string;
      readonly processed: Processed;
    };

/** The way to one node over the stream that is open to it. */
export interface RequestRoute {
  /**
   * Sends a request over the stream, if one is open that takes it now; undefined where none does. `settle` is called
   * exactly once, in a later turn. `cancel` of what is returned gives the request up: it is settled as `cancelled`.
   */
  tryRequest(request: OutgoingRequest, settle: (outcome: RequestOutcome) => void): { cancel(): void } | undefined;
}
