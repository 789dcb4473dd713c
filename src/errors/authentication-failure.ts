/**
 * Why a call was refused as UNAUTHENTICATED. For the log and the metric; the answer on the wire says less. A closed list:
 * `docs/errors.md` explains each word.
 */
export const AUTHENTICATION_FAILURES = [
  'no_credentials',
  'malformed_authorization',
  'plaintext_token',
  'too_many_failures',
  'unknown_token',
  'token_expired',
  'token_not_yet_valid',
  'jwt_malformed',
  'jwt_algorithm_not_allowed',
  'jwt_type_not_allowed',
  'jwt_unknown_key',
  'jwt_bad_signature',
  'jwt_wrong_issuer',
  'jwt_wrong_audience',
  'jwt_missing_claim',
] as const;

export type AuthenticationFailure = (typeof AUTHENTICATION_FAILURES)[number];
