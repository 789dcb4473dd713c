import * as grpc from '@grpc/grpc-js';

/**
 * How grpc-js 1.14 words the failures of calls that no server has processed: the server refused the stream (RFC 9113
 * 8.7, so also a stream that crossed its GOAWAY), or the connection was gone before the call went out. The codes behind
 * them do not reach a caller; this file alone knows the words, and a contract test holds them against the library.
 */
const UNPROCESSED = ['Stream refused by server', 'No connection established'];

/**
 * Whether a failed call is safe to send again. Needs `grpc.enable_retries: 0`, or grpc-js has sent it again already. A
 * server that lies about it harms only the calls it was sent itself.
 */
export function isUnprocessed(status: { readonly code: grpc.status; readonly details: string }): boolean {
  return status.code === grpc.status.UNAVAILABLE && UNPROCESSED.some(words => status.details.startsWith(words));
}
