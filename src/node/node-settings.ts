import type { BearerSettings } from '../authentication/bearer-settings.ts';
import type { CredentialSpec } from '../credentials/open-credential-source.ts';
import type { Address, TcpAddress } from '../identity/address.ts';
import type { DeniedCertificate } from '../identity/denied-certificate.ts';
import type { DestinationPattern } from '../identity/destination-pattern.ts';
import type { SubjectNamePattern } from '../identity/subject-name-pattern.ts';
import type { LogLevel } from '../telemetry/logger.ts';
import type { MembershipSettings } from './membership-settings.ts';
import type { TlsMode } from './node-options.ts';

/** What a node is told, parsed: every default filled in, every path absolute, nothing left that could be wrong. */
export interface NodeSettings {
  readonly clusterName: string;
  readonly nodeName: string;
  readonly dataDir: string;
  /** At most 107 bytes, which is what a unix socket can be called. */
  readonly adminSocket: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined: none. */
  readonly zone: string | undefined;
  readonly weight: number;
  readonly logLevel: LogLevel;
  /** `plain` where there are no credentials. The same as `tls.mode` where there are. */
  readonly mode: TlsMode;
  readonly networking: NetworkingSettings;
  /** Undefined without credentials. In `plain` mode they are kept, so that the mode can change while running. */
  readonly tls: TlsSettings | undefined;
  /** Undefined: no members but this node. */
  readonly membership: MembershipSettings | undefined;
  readonly authorization: AuthorizationSettings;
  readonly audit: AuditSettings;
  /** Undefined: no side listener. */
  readonly observability: ObservabilitySettings | undefined;
}

export interface NetworkingSettings {
  /** Without a scheme. */
  readonly bindAddress: Address;
  /** As configured, where the scheme may be left out; undefined where nothing was. See `advertisedAddresses`. */
  readonly advertised: readonly Address[] | undefined;
  readonly drainTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxConnectionsWithoutCertificate: number;
  readonly maxUnfinishedHandshakes: number;
  readonly maxConcurrentCalls: number;
  readonly maxMessageBytes: number;
  readonly messageQueueBytes: number;
  readonly messageWindowBytes: number;
  readonly maxStreamedCallBytes: number;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly watchedMembers: number;
  readonly idleTimeoutMs: number;
  readonly reconnectMaxDelayMs: number;
  readonly connectTimeoutMs: number;
  readonly holdTimeoutMs: number;
  readonly refusedHoldTimeoutMs: number;
}

export interface TlsSettings {
  readonly mode: TlsMode;
  readonly requireClientAuth: boolean;
  readonly allowedSubjectNames: readonly SubjectNamePattern[];
  /** Empty: the dialled host must be in the certificate. */
  readonly serverSubjectNames: readonly SubjectNamePattern[];
  /** A `uri`, `dns` or `cn` name without wildcards that holds `{node-name}`; undefined: not checked. */
  readonly nodeIdentity: string | undefined;
  /** As `node:tls` spells it. */
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly deniedCertificates: readonly DeniedCertificate[];
  readonly handshakeTimeoutMs: number;
  readonly withdrawalGraceMs: number;
  readonly sniffTimeoutMs: number;
  readonly canary: boolean;
  readonly refuseDowngrade: boolean;
  /** Undefined where there is none; only in `optional`. */
  readonly plaintextDeadline: Date | undefined;
  readonly refreshIntervalMs: number;
  /** What the listener shows, and whom it trusts. */
  readonly serverCredentials: CredentialSpec;
  /** The same of a dial that no profile matches. */
  readonly clientCredentials: CredentialSpec;
  /** The first that matches the dialled address wins. */
  readonly profiles: readonly TlsProfileSettings[];
}

export interface TlsProfileSettings {
  /** Its place in the list, from 1, where it was given none; a given one begins with a letter. */
  readonly name: string;
  readonly destinations: readonly DestinationPattern[];
  /** Complete: what the profile leaves out is that of `clientCredentials`. */
  readonly credentials: CredentialSpec;
  /** Undefined: that of the node. Empty: the dialled host must be in the certificate. */
  readonly serverSubjectNames: readonly SubjectNamePattern[] | undefined;
  /** As that of the node, which it inherits; undefined: not checked for members at these destinations. */
  readonly nodeIdentity: string | undefined;
}

export interface AuthorizationSettings {
  /** Undefined: no bearer token is taken. */
  readonly bearer: BearerSettings | undefined;
  readonly adminSubjectNames: readonly SubjectNamePattern[];
  readonly observerSubjectNames: readonly SubjectNamePattern[];
  /** Undefined: the built-in rules alone. */
  readonly policyFile: string | undefined;
  /** Undefined: no policy is tried out. */
  readonly shadowPolicyFile: string | undefined;
}

export interface AuditSettings {
  /** Undefined: the log. */
  readonly file: string | undefined;
  readonly maxDenialsPerSecond: number;
  readonly maxDenialsPerSecondPerSource: number;
}

export interface ObservabilitySettings {
  readonly bindAddress: TcpAddress;
}

/** One mistake, or one thing worth saying, in the options of a node. */
export interface OptionProblem {
  /** Where, such as `['networking', 'tls', 'allowedSubjectNames', 0]`. */
  readonly path: readonly (string | number)[];
  /** What is wrong. Options are named in backticks by their whole dotted name: `networking.tls.mode`. */
  readonly problem: string;
  /** What to do about it; empty where the problem says it already. */
  readonly remedy: string;
  /** Where else its cause stands, as `path`. */
  readonly others: readonly (readonly (string | number)[])[];
}
