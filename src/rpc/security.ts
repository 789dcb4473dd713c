/** Why a connection has no TLS. */
export type PlaintextReason =
  /** Inbound: the peer spoke plaintext and the mode allows that. */
  | 'plaintext_peer'
  /** Outbound: this node's mode is plain. */
  | 'mode_plain'
  /** Outbound: the mode is optional and the peer advertises no https address. */
  | 'peer_without_tls'
  /** A unix socket: the kernel is the wall. */
  | 'unix_socket'
  /** A message of a node to itself: it crosses no network. */
  | 'same_process';

/** What protects a connection. `none` is a value that carries its reason, the same word in type, log and metric. */
export type Security =
  | { readonly kind: 'mutual_tls'; readonly protocol: string; readonly cipher: string }
  | { readonly kind: 'tls'; readonly protocol: string; readonly cipher: string }
  | { readonly kind: 'none'; readonly reason: PlaintextReason };

export type SecurityKind = Security['kind'];
