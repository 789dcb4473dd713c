import * as grpc from '@grpc/grpc-js';
import type { MessageFailure } from '../errors/message-failure.ts';
import type { RequestOutcome } from '../exchange/request-route.ts';

export type FailedOutcome = Extract<RequestOutcome, { kind: 'failed' }>;

/** Reasons that hold for the call whichever way it goes. */
const OF_THE_CALL: ReadonlySet<MessageFailure> = new Set(['not_allowed', 'deadline_exceeded', 'cancelled']);

/** Whether the other node has not dealt with a call, and the ordinary way may succeed where the stream did not. */
export function goesTheOrdinaryWay({ reason, processed }: FailedOutcome): boolean {
  return processed === 'no' && !OF_THE_CALL.has(reason);
}

/** The status of a call that ended on the stream without a reply. @param name of the other node. */
export function statusOfFailure({ reason, detail }: FailedOutcome, name: string): grpc.StatusObject {
  const { code, details } = inWords(reason, name);
  return { code, details: detail === '' ? details : `${details}: ${detail}`, metadata: new grpc.Metadata() };
}

function inWords(reason: MessageFailure, name: string): { readonly code: grpc.status; readonly details: string } {
  switch (reason) {
    case 'deadline_exceeded':
      return { code: grpc.status.DEADLINE_EXCEEDED, details: 'Deadline exceeded' };
    case 'cancelled':
      return { code: grpc.status.CANCELLED, details: 'Call cancelled' };
    case 'not_allowed':
      return { code: grpc.status.PERMISSION_DENIED, details: 'permission denied' };
    case 'reply_too_large':
      return { code: grpc.status.RESOURCE_EXHAUSTED, details: `the reply of ${name} is too large for the stream` };
    case 'queue_full':
      return { code: grpc.status.RESOURCE_EXHAUSTED, details: `too many replies of ${name} wait to be read` };
    case 'handler_failed':
      return { code: grpc.status.INTERNAL, details: `${name} failed on the call` };
    case 'stream_lost':
      return { code: grpc.status.UNAVAILABLE, details: `the stream to ${name} was lost before the reply came` };
    default:
      return { code: grpc.status.UNAVAILABLE, details: `${name} did not answer (${reason})` };
  }
}
