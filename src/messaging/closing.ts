import type { EndReason } from '../errors/refusal-reason.ts';

/** Why a stream ended, and who ended it. */
export interface Closing {
  readonly reason: EndReason;
  /** Printable; empty where the reason says it all. */
  readonly detail: string;
  readonly by: 'us' | 'peer';
  /** Whether the peer said goodbye: what had not arrived there by then never will. */
  readonly isGoodbye: boolean;
}
