import type { LogLevel } from '../telemetry/logger.ts';
import type { CredentialOptions } from './credential-options.ts';
import type { MembershipOptions } from './membership-options.ts';

/** How the fabric listener treats plaintext and TLS, and what the connector dials. See `docs/configuration.md`. */
export const TLS_MODES = ['plain', 'optional', 'strict'] as const;
export type TlsMode = (typeof TLS_MODES)[number];

export const TLS_VERSIONS = ['1.2', '1.3'] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

/** Credentials and expectations for some destinations; the first profile that matches wins. */
export interface TlsProfileOptions extends CredentialOptions {
  /** What it is called in status, logs and metrics, as in `profile blue`: `[a-z]([a-z0-9-]{0,30}[a-z0-9])?`. Default: its place in the list, from 1. */
  readonly name?: string;
  /** Which addresses, such as `https://*.blue.example:*`. One that an earlier profile has wholly is a mistake. */
  readonly destinations: readonly string[];
  /** Patterns of who may answer there; empty: the dialled host must be in the certificate. A mistake where `nodeIdentity` counts. Default: that of the node. */
  readonly serverSubjectNames?: readonly string[];
  /** The name that a member at these destinations must prove, in both directions; empty: not checked. Default: that of the node. */
  readonly nodeIdentity?: string;
}

/** Credentials are required, except in `plain` mode without anything of them. */
export interface TlsOptions extends CredentialOptions {
  /** Default `strict`. */
  readonly mode?: TlsMode;
  /** Whether a TLS client must show a certificate. Default true. */
  readonly requireClientAuth?: boolean;
  /** Subject-name patterns of those who may connect as `peer`. Must not be empty when `requireClientAuth` is true. */
  readonly allowedSubjectNames?: readonly string[];
  /** Patterns of who may answer when this node dials. Empty (default): the dialled host must be in the certificate. */
  readonly serverSubjectNames?: readonly string[];
  /**
   * Certificates that are refused in both directions although their CA vouches for them: `sha256:` and a fingerprint,
   * `serial:` and a serial number (hexadecimal), of the certificate or of a CA certificate that vouches for it, or a
   * subject-name pattern. Taken from open connections within `withdrawalGraceMs`. Default none.
   */
  readonly deniedCertificates?: readonly string[];
  /** The name a node called X must prove, in both directions, with `{node-name}` in it. Default: not checked. */
  readonly nodeIdentity?: string;
  /** Default `1.3`. */
  readonly minVersion?: TlsVersion;
  /** Deadline of a TLS handshake, inbound. Default 5,000. */
  readonly handshakeTimeoutMs?: number;
  /** Deadline of the first bytes of a connection. Default 5,000. */
  readonly sniffTimeoutMs?: number;
  /**
   * How long calls may go on over a connection whose certificate is no longer trusted, no longer allowed, or expires;
   * then they are cut, with the reason. Default 5,000.
   */
  readonly withdrawalGraceMs?: number;
  /**
   * Before a new certificate of this node is taken into use, it is tried: by a handshake of this node with itself, and by
   * asking some connected peers whether they would admit it. Default true.
   */
  readonly canary?: boolean;
  /**
   * In `optional` mode: with a member that spoke mutual TLS nothing is spoken in plaintext, in neither direction, until the
   * membership source lists `http` for it anew or it says over mutual TLS that it goes back. Default false.
   */
  readonly refuseDowngrade?: boolean;
  /**
   * Only in `optional` mode: from this time on the node is strict, as soon as nothing stands in the way of that. A text is
   * an RFC 3339 date and time with its zone. Default: none.
   */
  readonly plaintextDeadline?: Date | string;
  /** Files are read again this often even when no change was seen. Default 3,600,000. */
  readonly refreshIntervalMs?: number;
  /** Credentials for dialling where they differ; each key left out is inherited, except where it names another `source`. */
  readonly client?: CredentialOptions;
  readonly profiles?: readonly TlsProfileOptions[];
}

export interface NetworkingOptions {
  /** `host:port` or `unix:/path`. Port 0 takes a free one. Default `0.0.0.0:5122`. */
  readonly bindAddress?: string;
  /** What peers are told to dial. Without a scheme it gets the scheme(s) of the mode. Default: the bind address, or the host name where that is a wildcard. */
  readonly advertisedAddresses?: readonly string[];
  /** Calls and streams that still run this long after a drain began are cut, with a reason. Default 30,000. */
  readonly drainTimeoutMs?: number;
  /** Open inbound connections; the next one is refused. Default 10,000. */
  readonly maxConnections?: number;
  /** Of these, TLS connections that show no certificate; the next one is refused. Default 1,000. */
  readonly maxConnectionsWithoutCertificate?: number;
  /** Connections that have not finished sniffing or handshaking; beyond it the oldest is dropped. Default 1,000. */
  readonly maxUnfinishedHandshakes?: number;
  /** Calls that one connection may have open at a time; more are refused unprocessed. Default 1,000. */
  readonly maxConcurrentCalls?: number;
  /** Largest message received or sent, in bytes. Default 4,194,304. */
  readonly maxMessageBytes?: number;
  /**
   * What may wait to be sent to one member over its peer stream, for each priority, in bytes; of replies as much again. What
   * is beyond fails as `queue_full`; one of any size may wait alone. At least 4,096. Default 16,777,216.
   */
  readonly messageQueueBytes?: number;
  /**
   * What one member may have sent to this node over its peer stream and not dealt with here, for each priority, in bytes;
   * 128 are added for each message. 4,096 to 1,073,741,824. Default 1,048,576.
   */
  readonly messageWindowBytes?: number;
  /**
   * Largest request of a unary call, metadata included, that goes over the peer stream, in bytes; larger ones go over HTTP/2.
   * 0: all of them. Default 262,144.
   */
  readonly maxStreamedCallBytes?: number;
  /** How often each side of a peer stream says it is alive. Default 5,000. */
  readonly heartbeatIntervalMs?: number;
  /** A peer stream that was silent this long is given up. Default 15,000. */
  readonly heartbeatTimeoutMs?: number;
  /**
   * How many members this node keeps a peer stream to though nothing is sent: the next ones in the ring of the hashed names.
   * Others are `idle` until there is traffic. In `optional` mode all are watched. Default 16.
   */
  readonly watchedMembers?: number;
  /** A peer stream that neither side watches, and a connection without calls, end after this long without traffic. At least 1,000. Default 300,000. */
  readonly idleTimeoutMs?: number;
  /** Longest wait between two dials of the same peer. Default 5,000. */
  readonly reconnectMaxDelayMs?: number;
  /** Deadline of one dial: TCP, TLS and the server's first answer. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** How long a call waits for a member that cannot be reached. Its own deadline ends it earlier. Default 30,000. */
  readonly holdTimeoutMs?: number;
  /** How long a call waits for a member that refuses us. Default 3,000. */
  readonly refusedHoldTimeoutMs?: number;
  /** Without it the mode is `plain`. */
  readonly tls?: TlsOptions;
}

/** What may give a caller of the control services the roles `admin` and `observer`. */
export const AUTH_METHODS = ['mtls', 'token', 'jwt'] as const;
export type AuthMethod = (typeof AUTH_METHODS)[number];

/** Which JSON Web Tokens (RFC 7519) are taken, and what they give. */
export interface JwtOptions {
  /** Exactly the claim `iss`. */
  readonly issuer: string;
  /** One of them must be in the claim `aud`. */
  readonly audiences: readonly string[];
  /** A JWK set (RFC 7517) with the public keys of the issuer; watched. */
  readonly jwksFile: string;
  /** By how much the clocks may differ. Default 30,000; at most 600,000. */
  readonly clockSkewMs?: number;
  /** The claim that says the roles; where it begins with `/`, a JSON pointer (RFC 6901). Default `roles`. */
  readonly rolesClaim?: string;
  /** Values of that claim that give the role `admin`. Default none. */
  readonly adminValues?: readonly string[];
  /** Values of that claim that give the role `observer`. Default none. */
  readonly observerValues?: readonly string[];
}

export interface AuthorizationOptions {
  /** Default `['mtls']`: certificates alone. What is not in it must not be configured either. */
  readonly auth?: readonly AuthMethod[];
  /** The tokens that are taken, by their hashes; watched. Required with `token` in `auth`. */
  readonly tokenFile?: string;
  /** Required with `jwt` in `auth`. */
  readonly jwt?: JwtOptions;
  /** Take bearer tokens over plaintext too, where everybody on the way can read and use them. Default false. */
  readonly insecureAllowPlaintextTokens?: boolean;
  /** Patterns of those who hold the role `admin`. Default none. */
  readonly adminSubjectNames?: readonly string[];
  /** Patterns of those who hold the role `observer`. Default none. */
  readonly observerSubjectNames?: readonly string[];
  /**
   * JSON of gRFC A43: who may call which method of the application, and who may call nothing. Watched. Default: the
   * built-in rules alone.
   */
  readonly policyFile?: string;
  /** The same, of a policy that is only evaluated beside the one that holds, and reported. Default none. */
  readonly shadowPolicyFile?: string;
}

/** Changing control calls and denials, as records. See `docs/operations.md`. */
export interface AuditOptions {
  /** JSON lines, appended; made with mode 0600 where it is missing, in a directory that is there. Default: the log. */
  readonly file?: string;
  /** Denials that are recorded in a second; beyond it they are counted. Default 200. */
  readonly maxDenialsPerSecond?: number;
  /** The same of one principal, or of one host where nothing was proven. Default 20. */
  readonly maxDenialsPerSecondPerSource?: number;
}

export interface ObservabilityOptions {
  /** `host:port` of the HTTP listener for `/healthz`, `/readyz` and `/metrics`. */
  readonly bindAddress: string;
}

/**
 * Everything a node is told. Texts are parsed when the node starts; all mistakes are reported at once (`config_invalid`),
 * and an option that does not exist, or a value of another kind than its option takes, is one. Paths are taken as they are, relative to the working directory.
 */
export interface FabricNodeOptions {
  /** Peers of another cluster are refused. */
  readonly clusterName: string;
  /** Stable and unique in the cluster: `[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?`. */
  readonly nodeName: string;
  /** Lock, generation, what is remembered of members and of the mode, and the admin socket live here; created with mode 0700 where it is missing. */
  readonly dataDir: string;
  /** Path of the unix socket for local administration. Default `admin.sock` in `dataDir`. */
  readonly adminSocket?: string;
  /** Told to peers; clients can ask for "any ready member with this label". Default none. */
  readonly labels?: Readonly<Record<string, string>>;
  /** What fails together with this node, such as an availability zone; told to peers, at most 128 characters. Default: none. */
  readonly zone?: string;
  /** Its share of the calls among those that a client picks from: 0 to 65,535, told to peers. 0: only where all have 0. Default 1. */
  readonly weight?: number;
  readonly logLevel?: LogLevel;
  readonly networking?: NetworkingOptions;
  /** Default: no members but this node. */
  readonly membership?: MembershipOptions;
  readonly authorization?: AuthorizationOptions;
  /** Default: records go to the log. A function that takes them is given beside the options, as `FabricNodeParts.audit`. */
  readonly audit?: AuditOptions;
  /** Default: no side listener. */
  readonly observability?: ObservabilityOptions;
}
