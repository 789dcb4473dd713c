import type { RefusalReason } from '../errors/refusal-reason.ts';
import type { Caller, Role } from '../rpc/caller.ts';
import type { Decision } from '../rpc/decision.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import { printable } from '../telemetry/logger.ts';
import { callerPrincipal, refusedPrincipal } from './audit-principal.ts';

/** On every record: when, and by which process. */
interface Origin {
  /** RFC 3339 in UTC, with milliseconds. */
  readonly timestamp: string;
  /** Name of the node that decided. */
  readonly node: string;
  readonly node_generation: number;
}

/** What somebody did, or tried. */
interface AuditedAct extends Origin {
  /** `/package.Service/Method`; empty for a connection. */
  readonly rpc_method: string;
  /**
   * Who asked, as policies call it: the name that the certificate proves, `token:NAME`, `jwt:SUBJECT`, or `role:local` and
   * `role:anonymous`; empty where a connection proved nothing.
   */
  readonly principal: string;
  readonly authorized: boolean;
  /** The number that stands in logs and in `selvedgectl connections`; left out before a connection has one. */
  readonly connection_id?: number;
  /** `host:port`, or `unix`. */
  readonly remote_address: string;
  /** SHA-256 of the certificate that was shown, lower-case hexadecimal; left out where none was. */
  readonly certificate_fingerprint?: string;
  /** Generation of the trust snapshot of the listener; 0 without credentials. */
  readonly trust_generation: number;
}

/** A decision, with the fields of gRFC A59 under the names that gRPC's own audit logger gives them. */
interface AuditedDecision extends AuditedAct {
  /** `built-in`, or the name of the authorization policy. */
  readonly policy_name: string;
  /** Empty where no rule matched. */
  readonly matched_rule: string;
}

/** A call that was denied, or one that was allowed and is worth a record. */
export interface AuditedCall extends AuditedDecision {
  readonly kind: 'call';
  readonly roles: readonly Role[];
}

/** A connection, a Hello or a dial that was refused. */
export interface AuditedConnection extends AuditedDecision {
  readonly kind: 'connection';
  readonly direction: 'inbound' | 'outbound';
  readonly reason: RefusalReason;
  /** In words; what is the peer's in it is printable and short. */
  readonly detail: string;
  /** The node that a Hello claimed to come from, or that a dial looked for; left out where there is none. */
  readonly claimed_node?: string;
}

/** What a caller changes of who the members are: the name of a member, and of one that is added what was given. */
export interface MembershipEdit {
  readonly change: 'add' | 'drain' | 'remove' | 'terminate';
  readonly member: string;
  readonly addresses?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly zone?: string;
  readonly weight?: number;
}

/** What an allowed call changed of who the members are; the call has a record of its own before this one. */
export interface AuditedMembership extends AuditedAct, MembershipEdit {
  readonly kind: 'membership';
  readonly authorized: true;
  /** Empty where the change is written; else the error code that says why it is not, or is not known to be. */
  readonly error: string;
}

/** Where the trail is not whole: so many records before this one are not here. */
export interface AuditGap extends Origin {
  readonly kind: 'gap';
  /** The first that is missing was offered then. */
  readonly since: string;
  /** Beyond the limits, or without room: nowhere. */
  readonly dropped: number;
  /** Could not be written here, and stand in the log instead. */
  readonly logged: number;
}

/** Of a host name, with scheme and port. */
const MAX_ADDRESS_LENGTH = 300;

/** One record of the audit trail, as it is written: names are as in the file. */
export type AuditRecord = AuditedCall | AuditedConnection | AuditedMembership | AuditGap;

/** What every record says of the node, at its moment. */
export interface AuditOrigin {
  readonly nodeName: string;
  readonly nodeGeneration: number;
  readonly trustGeneration: number;
}

export function recordOfCall(
  caller: Caller,
  methodPath: string,
  { allowed, policy, rule }: Decision,
  origin: AuditOrigin,
  nowMs: number,
): AuditedCall {
  return {
    timestamp: timeOf(nowMs),
    kind: 'call',
    rpc_method: printable(methodPath),
    principal: callerPrincipal(caller),
    policy_name: printable(policy),
    matched_rule: printable(rule),
    authorized: allowed,
    roles: [...caller.roles],
    ...connectionOf(caller),
    ...whereOf(origin),
  };
}

/** @param error empty where the change is written. */
export function recordOfEdit(
  caller: Caller,
  methodPath: string,
  { change, member, addresses, labels, zone, weight }: MembershipEdit,
  error: string,
  origin: AuditOrigin,
  nowMs: number,
): AuditedMembership {
  return {
    timestamp: timeOf(nowMs),
    kind: 'membership',
    rpc_method: printable(methodPath),
    principal: callerPrincipal(caller),
    authorized: true,
    change,
    member: printable(member),
    ...(addresses === undefined ? {} : { addresses: addresses.map(address => printable(address, MAX_ADDRESS_LENGTH)) }),
    ...(labels === undefined ? {} : { labels: printableLabels(labels) }),
    ...(zone === undefined ? {} : { zone: printable(zone) }),
    ...(weight === undefined ? {} : { weight }),
    error,
    ...connectionOf(caller),
    ...whereOf(origin),
  };
}

export function recordOfRefusal(refused: RefusedPeer, origin: AuditOrigin, nowMs: number): AuditedConnection {
  const { direction, remoteAddress, connectionId, claimedNode, reason, detail, identity } = refused;
  return {
    timestamp: timeOf(nowMs),
    kind: 'connection',
    rpc_method: '',
    principal: refusedPrincipal(reason, identity),
    policy_name: 'built-in',
    matched_rule: '',
    authorized: false,
    direction,
    reason,
    detail: printable(detail),
    ...(claimedNode === undefined ? {} : { claimed_node: printable(claimedNode) }),
    ...(connectionId === undefined ? {} : { connection_id: connectionId }),
    remote_address: printable(remoteAddress),
    ...fingerprintOf(identity),
    ...whereOf(origin),
  };
}

export function recordOfGap(
  { dropped, logged, sinceMs }: { readonly dropped: number; readonly logged: number; readonly sinceMs: number },
  { nodeName, nodeGeneration }: AuditOrigin,
  nowMs: number,
): AuditGap {
  return {
    timestamp: timeOf(nowMs),
    kind: 'gap',
    since: timeOf(sinceMs),
    dropped,
    logged,
    node: nodeName,
    node_generation: nodeGeneration,
  };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function printableLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [printable(name), printable(value)]));
}

function connectionOf({
  connectionId,
  remoteAddress,
  identity,
}: Caller): Pick<AuditedAct, 'connection_id' | 'remote_address' | 'certificate_fingerprint'> {
  return { connection_id: connectionId, remote_address: remoteAddress, ...fingerprintOf(identity) };
}

function fingerprintOf(identity: Caller['identity']): Pick<AuditedDecision, 'certificate_fingerprint'> {
  return identity === undefined ? {} : { certificate_fingerprint: identity.fingerprint256 };
}

function whereOf(origin: AuditOrigin): Pick<AuditedDecision, 'node' | 'node_generation' | 'trust_generation'> {
  return {
    node: origin.nodeName,
    node_generation: origin.nodeGeneration,
    trust_generation: origin.trustGeneration,
  };
}
