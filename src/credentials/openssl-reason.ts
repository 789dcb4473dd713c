import type { RefusalReason } from '../errors/refusal-reason.ts';

/** Names as Node gives them in `authorizationError` (OpenSSL's X509_V_ERR_*). */
const REASONS: ReadonlyMap<string, RefusalReason> = new Map([
  ['UNABLE_TO_GET_ISSUER_CERT', 'unknown_ca'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'unknown_ca'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unknown_ca'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'unknown_ca'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'unknown_ca'],
  ['CERT_UNTRUSTED', 'unknown_ca'],
  ['CERT_SIGNATURE_FAILURE', 'unknown_ca'],
  ['CERT_HAS_EXPIRED', 'certificate_expired'],
  ['CERT_NOT_YET_VALID', 'certificate_not_yet_valid'],
  ['CERT_REVOKED', 'certificate_revoked'],
  ['INVALID_PURPOSE', 'wrong_key_usage'],
  ['ERROR_IN_CERT_NOT_BEFORE_FIELD', 'malformed_certificate'],
  ['ERROR_IN_CERT_NOT_AFTER_FIELD', 'malformed_certificate'],
]);

/** The reason code for OpenSSL's verdict on a chain; `handshake_failed` where ours has no closer word. */
export function opensslReason(authorizationError: string): RefusalReason {
  return REASONS.get(authorizationError) ?? 'handshake_failed';
}
