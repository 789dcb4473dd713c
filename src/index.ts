// The public API of the package, all of it.

export type { AuditedCall, AuditedConnection, AuditedMembership, AuditGap, AuditRecord } from './audit/audit-record.ts';
export {
  FabricChannelCredentials,
  type FabricChannelCredentialsOptions,
} from './connector/fabric-channel-credentials.ts';
export type { LivenessReason } from './errors/liveness-reason.ts';
export type { MessageFailure } from './errors/message-failure.ts';
export {
  type CloseReason,
  type EndReason,
  isRefusalReason,
  REFUSAL_REASONS,
  type RefusalReason,
} from './errors/refusal-reason.ts';
export {
  type ConfigProblem,
  type ErrorCode,
  type ErrorFacts,
  isSelvedgeError,
  SelvedgeError,
} from './errors/selvedge-error.ts';
export type { Priority } from './exchange/request-route.ts';
export type { PeerIdentity } from './identity/peer-identity.ts';
export type { LivenessState } from './messaging/member-liveness.ts';
export type { Message, MessageHandler } from './messaging/message-handlers.ts';
export type { Delivery, MessageOptions, Messages } from './messaging/messages.ts';
export type { Liveness } from './messaging/peer-liveness.ts';
export type { MembershipState, PeerState } from './messaging/peer-table.ts';
export type * from './node/credential-options.ts';
export type { CredentialsReload } from './node/credential-set.ts';
export {
  type CredentialsInfo,
  type FabricCredentials,
  openFabricCredentials,
} from './node/fabric-credentials.ts';
export type { FabricCredentialsOptions } from './node/fabric-credentials-options.ts';
export {
  type ApplicationService,
  type ClientConstructor,
  FabricNode,
  type FabricNodeParts,
  type MemberSelector,
  type NodeReady,
  type ReloadReport,
} from './node/fabric-node.ts';
export type { MemberChange, MemberStatus, Members } from './node/members.ts';
export type * from './node/membership-options.ts';
export type * from './node/node-options.ts';
export { type Bearer, type Caller, callerOf, type Role } from './rpc/caller.ts';
export type { PlaintextReason, Security, SecurityKind } from './rpc/security.ts';
export { createLogger, type Logger, type LoggerOptions, type LogLevel } from './telemetry/logger.ts';
export { createMetrics, type Metrics } from './telemetry/metrics.ts';
