/**
 * Why a message between nodes was not answered, or not known to have arrived. The same word stands in the facts of
 * `message_failed`, in metric labels and, by its place in this list, on the wire: words are added at the end.
 */
export const MESSAGE_FAILURES = [
  'no_handler',
  'not_allowed',
  'declined',
  'handler_failed',
  'too_large',
  'reply_too_large',
  'queue_full',
  'deadline_exceeded',
  'cancelled',
  'stream_lost',
  'node_closed',
] as const;

export type MessageFailure = (typeof MESSAGE_FAILURES)[number];

/** Whether the other node has dealt with a message that failed. `no`: it has not and will not, so it is safe to send it again. */
export type Processed = 'no' | 'maybe' | 'yes';
