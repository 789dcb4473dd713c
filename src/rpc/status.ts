import * as grpc from '@grpc/grpc-js';
import { type EndReason, isRefusalReason, type RefusalReason } from '../errors/refusal-reason.ts';
import { type ErrorCode, isSelvedgeError, messageOf, type SelvedgeError } from '../errors/selvedge-error.ts';

/** Trailing metadata that carries a refusal reason code beside the status. */
export const REASON_METADATA = 'selvedge-reason';

/** The gRPC status of each error code: the only place where the two meet. */
export const STATUS_OF_CODE: { readonly [Code in ErrorCode]: grpc.status } = {
  address_in_use: grpc.status.UNAVAILABLE,
  address_invalid: grpc.status.INVALID_ARGUMENT,
  certificate_malformed: grpc.status.INVALID_ARGUMENT,
  config_invalid: grpc.status.FAILED_PRECONDITION,
  credentials_invalid: grpc.status.FAILED_PRECONDITION,
  data_dir_locked: grpc.status.FAILED_PRECONDITION,
  data_dir_unusable: grpc.status.FAILED_PRECONDITION,
  file_exists: grpc.status.ALREADY_EXISTS,
  listen_failed: grpc.status.UNAVAILABLE,
  member_unknown: grpc.status.NOT_FOUND,
  member_removed: grpc.status.FAILED_PRECONDITION,
  membership_not_writable: grpc.status.FAILED_PRECONDITION,
  membership_unavailable: grpc.status.UNAVAILABLE,
  message_failed: grpc.status.UNAVAILABLE,
  no_ready_member: grpc.status.UNAVAILABLE,
  node_closed: grpc.status.UNAVAILABLE,
  node_name_held: grpc.status.ALREADY_EXISTS,
  node_name_invalid: grpc.status.INVALID_ARGUMENT,
  pattern_invalid: grpc.status.INVALID_ARGUMENT,
  refused: grpc.status.FAILED_PRECONDITION,
  restart_required: grpc.status.FAILED_PRECONDITION,
  usage: grpc.status.INVALID_ARGUMENT,
};

/** The status that tells a caller about `error`. What is not ours becomes INTERNAL without its text. */
export function statusOf(error: unknown): { code: grpc.status; details: string; metadata: grpc.Metadata } {
  const metadata = new grpc.Metadata();
  if (!isSelvedgeError(error)) return { code: grpc.status.INTERNAL, details: 'internal error', metadata };
  if (isRefused(error)) metadata.set(REASON_METADATA, error.facts.reason);
  return { code: STATUS_OF_CODE[error.code], details: error.message, metadata };
}

function isRefused(error: SelvedgeError): error is SelvedgeError<'refused'> {
  return error.code === 'refused';
}

/**
 * A failed call in words for people: without the status number, and of grpc-js's words for a connection that could not
 * be made only what the operating system said.
 */
export function failureInWords(error: unknown): string {
  const hasDetails = error instanceof Error && 'details' in error && typeof error.details === 'string';
  return withoutGrpcWords(hasDetails ? String(error.details) : messageOf(error));
}

/** What of a status text of grpc-js tells a person something. */
export function withoutGrpcWords(text: string): string {
  const lastError = /^No connection established\. Last error: (?:\w*Error: )?(.*?)\. Resolution note:/.exec(text)?.[1];
  return (lastError ?? text).replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)$/, '');
}

/** Trailing metadata with a reason code, for a call that is ended for it. */
export function reasonMetadata(reason: EndReason): grpc.Metadata {
  const metadata = new grpc.Metadata();
  metadata.set(REASON_METADATA, reason);
  return metadata;
}

/** The reason code in the trailing metadata of a failed call, if the other side is ours and sent one we know. */
export function refusalReasonOf(error: { readonly metadata: grpc.Metadata }): RefusalReason | undefined {
  const value = error.metadata.get(REASON_METADATA)[0];
  return typeof value === 'string' && isRefusalReason(value) ? value : undefined;
}
