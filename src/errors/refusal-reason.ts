/**
 * Why a connection, a Hello or a dial was refused. The same word stands in types, logs, metric labels, the GOAWAY a
 * refused peer gets, and the tables of `selvedgectl`.
 */
export const REFUSAL_REASONS = [
  // of a connection, decided by the listener
  'plaintext_refused',
  'tls_on_plain_listener',
  'no_certificate',
  'unknown_ca',
  'certificate_expired',
  'certificate_not_yet_valid',
  'certificate_revoked',
  'wrong_key_usage',
  'subject_not_allowed',
  'node_identity_mismatch',
  'tls_version',
  'handshake_timeout',
  'sniff_timeout',
  'too_many_connections',
  'malformed_certificate',
  'handshake_failed',
  // of a Hello, decided by the peer streams
  'cluster_mismatch',
  'not_a_member',
  'member_removed',
  'stale_generation',
  'protocol_version',
  'downgrade_refused',
  // of a dial, decided by the connector
  'server_identity_mismatch',
  'no_usable_address',
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** True for a word of the closed list; what a peer sends is checked with this before it is believed. */
export function isRefusalReason(value: string): value is RefusalReason {
  return (REFUSAL_REASONS as readonly string[]).includes(value);
}

/** Why an open connection or peer stream was ended by us. Label of `selvedge_connections_closed_total`. */
export const CLOSE_REASONS = [
  'peer_closed',
  'connection_error',
  'mode_changed',
  'credentials_rotated',
  'address_changed',
  'duplicate_stream',
  'stale_generation',
  'heartbeat_timeout',
  'idle',
  'node_draining',
  'node_closed',
  'not_a_member',
] as const;

export type CloseReason = (typeof CLOSE_REASONS)[number];

/**
 * Why a connection or peer stream that was open ended: a close reason, or, where it would be refused now, the reason of
 * that refusal.
 */
export type EndReason = CloseReason | RefusalReason;

/** True for a word of one of the two lists; what a peer sends is checked with this before it is believed. */
export function isEndReason(value: string): value is EndReason {
  return (CLOSE_REASONS as readonly string[]).includes(value) || isRefusalReason(value);
}
