import type { MessageFailure } from '../errors/message-failure.ts';
import type { Priority } from './request-route.ts';

/** A request that another node sent over the stream. Exactly one of `reply` and `fail` counts, the first. */
export interface IncomingRequest {
  /** The kind of a message, or `/package.Service/Method` of a call. */
  readonly name: string;
  readonly header: Buffer;
  /** A view of what was received: who keeps a part of it for long should copy that. */
  readonly payload: Buffer;
  readonly priority: Priority;
  /** Unix milliseconds by the clock here; infinity where there is none. */
  readonly deadlineMs: number;
  reply(header: Uint8Array, payload: Uint8Array): void;
  /** Who sent it learns the reason, and from that whether it may have been processed. */
  fail(reason: MessageFailure, detail?: string): void;
  /**
   * Called at most once, when nobody waits for the reply any more: given up, past its deadline, or the stream is lost; at
   * once where that is so already.
   */
  onCancel(listener: () => void): void;
  /** Of one that was given up: its handler has come to its end. `reply` and `fail` say that too. */
  handlerOver(): void;
}
