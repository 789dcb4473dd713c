import type { CaState, CaStatus } from './ca-messages.ts';
import type { ExplainRequest, ExplainResponse } from './explain-messages.ts';
import { serviceDefinition, type UnaryService } from './service.ts';

// The messages of `proto/selvedge/control/v1/control.proto`, as the loader of `service.ts` gives them: camelCase, every
// field present, 64-bit numbers as `number`. A round-trip test holds both files together. What a field means stands there.

/** A request that carries nothing. */
export type EmptyRequest = Readonly<Record<string, never>>;

export interface NodeStatus {
  readonly clusterName: string;
  readonly nodeName: string;
  readonly generation: number;
  readonly version: string;
  /** starting, ready, degraded or draining. */
  readonly state: string;
  /** plain, optional or strict. */
  readonly mode: string;
  readonly advertisedAddresses: readonly string[];
  readonly startedAtMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly peers: readonly Peer[];
  /** Null where topology is redacted. */
  readonly connections: ConnectionCounts | null;
  /** Unix milliseconds; 0 without TLS. */
  readonly certificateExpiresAtMs: number;
  readonly addressesRedacted: boolean;
  /** What could not be taken of changed files, while the node runs on what it had. */
  readonly problems: readonly string[];
  /** Certificates that end before long, the first to end first. */
  readonly expiring: readonly Expiring[];
  /** all or not_all; empty from older versions. */
  readonly peersConnected: string;
  /** What an operator should look at although the node is well. */
  readonly notices: readonly string[];
  /** Where the list of members comes from; empty from older versions. */
  readonly membershipSources: readonly MembershipSourceState[];
}

export interface MembershipSourceState {
  /** file, dns or etcd. */
  readonly kind: string;
  /** current or frozen. */
  readonly state: string;
  /** Since when it is frozen, Unix milliseconds; 0 while it is current. */
  readonly sinceMs: number;
  readonly problem: string;
  /** How many members it lists. */
  readonly members: number;
}

export interface Expiring {
  /** server, client or the name of a profile for our own, ca, peer. */
  readonly usage: string;
  readonly subject: string;
  readonly fingerprintSha256: string;
  /** notice, warning, critical or expired. */
  readonly level: string;
  readonly expiresAtMs: number;
  /** The name the holder is known by. */
  readonly identity: string;
}

/** A member, as the answering node sees it. */
export interface Peer {
  readonly nodeName: string;
  /** connected, connecting, refused, unreachable, draining or self. */
  readonly state: string;
  /** mutual_tls, tls or none; empty while not connected. */
  readonly security: string;
  /** Why there is no TLS, where security is none. */
  readonly securityReason: string;
  /** Why it is not connected; a refusal reason code where there is one. */
  readonly reason: string;
  readonly detail: string;
  readonly generation: number;
  readonly mode: string;
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
  /** inbound or outbound; empty while not connected. */
  readonly direction: string;
  readonly sinceMs: number;
  readonly subject: string;
  /** unknown, alive, suspect, draining or dead; empty from older versions. */
  readonly liveness: string;
  readonly livenessReason: string;
  readonly livenessSinceMs: number;
  /** active, draining or unlisted, of the node itself removed or terminating, too; empty from older versions, of which zone and weight are not known. */
  readonly membershipState: string;
  readonly zone: string;
  readonly weight: number;
}

export interface ConnectionCounts {
  readonly inboundMutualTls: number;
  readonly inboundTls: number;
  readonly inboundNone: number;
  readonly outboundMutualTls: number;
  readonly outboundTls: number;
  readonly outboundNone: number;
}

export interface ListConnectionsResponse {
  readonly connections: readonly Connection[];
  readonly addressesRedacted: boolean;
}

export interface Connection {
  readonly id: number;
  /** inbound or outbound. */
  readonly direction: string;
  readonly remoteAddress: string;
  readonly security: string;
  readonly securityReason: string;
  readonly tlsVersion: string;
  readonly cipher: string;
  readonly subject: string;
  readonly identity: string;
  readonly fingerprintSha256: string;
  readonly roles: readonly string[];
  readonly openedAtMs: number;
  readonly activeCalls: number;
  readonly certificateExpiresAtMs: number;
  readonly nodeName: string;
}

export interface TlsState {
  readonly mode: string;
  readonly requireClientAuth: boolean;
  readonly minVersion: string;
  readonly allowedSubjectNames: readonly string[];
  readonly credentials: readonly CredentialState[];
  readonly addressesRedacted: boolean;
}

export interface CredentialState {
  /** server, client or the name of a profile. */
  readonly usage: string;
  readonly trustGeneration: number;
  /** Null when there is no own certificate, as in a client profile that only trusts. */
  readonly certificate: CertificateState | null;
  readonly anchors: readonly CertificateState[];
  readonly loadedAtMs: number;
  /** ok, unchanged or failed. */
  readonly lastReloadResult: string;
  readonly lastReloadAtMs: number;
  readonly problem: string;
  readonly warnings: readonly string[];
  /** Where the certificate was read: a file, or `spiffe:unix:` and the socket of an agent. */
  readonly place: string;
}

/** The proto message `Certificate`: what may be told about one to somebody who does not hold it. */
export interface CertificateState {
  readonly subject: string;
  readonly issuer: string;
  readonly names: readonly string[];
  readonly fingerprintSha256: string;
  readonly serialNumber: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface CheckModeRequest {
  /** plain, optional or strict. */
  readonly to: string;
}

export interface CheckModeResponse {
  readonly nodeName: string;
  readonly from: string;
  readonly to: string;
  readonly ready: boolean;
  /** `modeObstacles` as sentences. */
  readonly obstacles: readonly string[];
  readonly addressesRedacted: boolean;
  /** Empty from older versions. */
  readonly modeObstacles: readonly ModeObstacle[];
}

export interface ModeObstacle {
  /** One of `MODE_OBSTACLES`, or of a newer version. */
  readonly code: string;
  readonly nodeName: string;
  readonly detail: string;
}

export interface ShadowReportMessage {
  readonly nodeName: string;
  /** Empty without a shadow policy. */
  readonly policy: string;
  readonly sinceMs: number;
  readonly calls: number;
  readonly wouldDeny: number;
  readonly wouldAllow: number;
  readonly divergences: readonly ShadowDivergence[];
  readonly overflow: number;
}

export interface ShadowDivergence {
  readonly principal: string;
  readonly method: string;
  /** would_deny or would_allow. */
  readonly decision: string;
  readonly rule: string;
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

export interface ReloadTlsResponse {
  /** ok, unchanged or failed. */
  readonly result: string;
  readonly problems: readonly string[];
  readonly trustGeneration: number;
}

export interface DrainResponse {
  /** draining. */
  readonly state: string;
}

export interface ClusterStatus {
  readonly nodes: readonly NodeStatus[];
  readonly unreachable: readonly Unreachable[];
  readonly addressesRedacted: boolean;
}

export interface Unreachable {
  readonly nodeName: string;
  readonly reason: string;
}

export interface ListNodesResponse {
  readonly nodes: readonly Peer[];
  readonly addressesRedacted: boolean;
  /** Names that are refused until they are added again. */
  readonly removed: readonly string[];
}

export interface PreflightResponse {
  readonly ready: boolean;
  readonly nodes: readonly CheckModeResponse[];
  readonly unreachable: readonly Unreachable[];
  readonly addressesRedacted: boolean;
}

export interface AddNodeRequest {
  readonly nodeName: string;
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly zone: string;
  /** Left out: as it is. */
  readonly weight?: number;
}

export interface NamedNodeRequest {
  readonly nodeName: string;
}

export interface EditMembershipResponse {
  readonly nodeName: string;
  /** active, draining, removed or terminating. */
  readonly membershipState: string;
}

export type NodeControlMethods = {
  readonly GetStatus: { readonly request: EmptyRequest; readonly response: NodeStatus };
  readonly ListConnections: { readonly request: EmptyRequest; readonly response: ListConnectionsResponse };
  readonly GetTlsState: { readonly request: EmptyRequest; readonly response: TlsState };
  readonly GetCaState: { readonly request: EmptyRequest; readonly response: CaState };
  readonly CheckMode: { readonly request: CheckModeRequest; readonly response: CheckModeResponse };
  readonly GetShadowReport: { readonly request: EmptyRequest; readonly response: ShadowReportMessage };
  readonly Explain: { readonly request: ExplainRequest; readonly response: ExplainResponse };
  readonly ReloadTls: { readonly request: EmptyRequest; readonly response: ReloadTlsResponse };
  readonly Drain: { readonly request: EmptyRequest; readonly response: DrainResponse };
};

export type ClusterControlMethods = {
  readonly GetClusterStatus: { readonly request: EmptyRequest; readonly response: ClusterStatus };
  readonly ListNodes: { readonly request: EmptyRequest; readonly response: ListNodesResponse };
  readonly GetCaStatus: { readonly request: EmptyRequest; readonly response: CaStatus };
  readonly Preflight: { readonly request: CheckModeRequest; readonly response: PreflightResponse };
  readonly AddNode: { readonly request: AddNodeRequest; readonly response: EditMembershipResponse };
  readonly RemoveNode: { readonly request: NamedNodeRequest; readonly response: EditMembershipResponse };
  readonly DrainNode: { readonly request: NamedNodeRequest; readonly response: EditMembershipResponse };
  readonly TerminateNode: { readonly request: NamedNodeRequest; readonly response: EditMembershipResponse };
};

/** One node, as operators see and steer it. */
export const nodeControl: UnaryService<NodeControlMethods> = {
  name: 'selvedge.control.v1.NodeControl',
  definition: serviceDefinition('selvedge.control.v1.NodeControl'),
};

/** The cluster as one node sees it. */
export const clusterControl: UnaryService<ClusterControlMethods> = {
  name: 'selvedge.control.v1.ClusterControl',
  definition: serviceDefinition('selvedge.control.v1.ClusterControl'),
};
