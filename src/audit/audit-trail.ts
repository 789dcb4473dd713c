import { atTime } from '../lifecycle/at-time.ts';
import type { Caller } from '../rpc/caller.ts';
import type { Decision } from '../rpc/decision.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { callerPrincipal, refusedPrincipal } from './audit-principal.ts';
import {
  type AuditOrigin,
  type AuditRecord,
  type MembershipEdit,
  recordOfCall,
  recordOfEdit,
  recordOfGap,
  recordOfRefusal,
} from './audit-record.ts';
import type { AuditSink } from './audit-sink.ts';
import { FloodLimit, type FloodLimits } from './flood-limit.ts';

/** What was dropped is told this long after the first of it, or as soon as there is room after that. */
const TELL_AFTER_MS = 1_000;

/** What tells the time. */
export interface AuditClock {
  /** Unix milliseconds. */
  now(): number;
  /** Calls `act` at that time; returns the function that calls it off. */
  at(unixMs: number, act: () => void): () => void;
}

export interface AuditTrailParts {
  readonly sink: AuditSink;
  readonly limits: FloodLimits;
  readonly origin: () => AuditOrigin;
  /** Whether a method changes the node or the cluster: such a call is recorded when it is allowed, too. */
  readonly isChanging: (methodPath: string) => boolean;
  /** Whether the policy asks for a record of a call that it allowed (gRFC A59 `audit_condition`). */
  readonly auditsAllowed: (methodPath: string) => boolean;
  readonly metrics: Pick<Metrics, 'auditRecords' | 'auditDropped'>;
  /** Default: the clock of the system. */
  readonly clock?: AuditClock;
}

/**
 * Which decisions are recorded.
 *
 * A1. A changing call that was allowed is always recorded. Every denial is, within the limits; what is beyond them is
 *     counted, and the count is told in a record of its own: written and told together are what was offered.
 * A2. Nothing here waits, throws or changes a decision.
 * A3. No record holds a header, a token or the content of a call, but for what a call changed of who the members are.
 */
export class AuditTrail {
  readonly #parts: AuditTrailParts;
  readonly #clock: AuditClock;
  readonly #limit: FloodLimit;
  #dropped = 0;
  #droppedSinceMs = 0;
  #stopTelling: () => void = () => {};

  constructor(parts: AuditTrailParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? { now: Date.now, at: atTime };
    this.#limit = new FloodLimit(parts.limits);
  }

  /** Takes the decision on a call. Called for each, so the common one returns at once. */
  decided(caller: Caller, methodPath: string, decision: Decision): void {
    const isKept = decision.allowed && this.#parts.isChanging(methodPath);
    if (decision.allowed && !isKept && !this.#parts.auditsAllowed(methodPath)) return;
    const now = this.#clock.now();
    const record = () => recordOfCall(caller, methodPath, decision, this.#parts.origin(), now);
    if (decision.allowed) this.#write(record(), isKept, now);
    else this.#denied(sourceOfCall(caller), record, now);
  }

  /** Takes a refusal of a connection, a Hello or a dial. */
  refused(peer: RefusedPeer): void {
    const now = this.#clock.now();
    const source = sourceOf(refusedPrincipal(peer.reason, peer.identity), peer.remoteAddress);
    this.#denied(source, () => recordOfRefusal(peer, this.#parts.origin(), now), now);
  }

  /** Takes what an allowed call changed of who the members are; `error` is the code of why it could not, empty where it did. */
  edited(caller: Caller, methodPath: string, edit: MembershipEdit, error: string): void {
    const now = this.#clock.now();
    this.#write(recordOfEdit(caller, methodPath, edit, error, this.#parts.origin(), now), true, now);
  }

  reopen(): void {
    this.#parts.sink.reopen();
  }

  /** Tells what was dropped, and resolves when everything is written. */
  async close(): Promise<void> {
    this.#stopTelling();
    this.#tell(true);
    await this.#parts.sink.close();
  }

  #denied(source: string, record: () => AuditRecord, now: number): void {
    if (this.#limit.take(source, now)) this.#write(record(), false, now);
    else this.#drop(now);
  }

  #write(record: AuditRecord, kept: boolean, now: number): void {
    if (!this.#parts.sink.write(record, kept)) return this.#drop(now);
    if (record.kind === 'gap') return;
    this.#parts.metrics.auditRecords.inc({ kind: record.kind, decision: record.authorized ? 'allow' : 'deny' });
  }

  #drop(now: number): void {
    this.#parts.metrics.auditDropped.inc();
    this.#dropped += 1;
    if (this.#dropped > 1) return;
    this.#droppedSinceMs = now;
    this.#tellLater(now);
  }

  #tellLater(now: number): void {
    this.#stopTelling = this.#clock.at(now + TELL_AFTER_MS, () => this.#tell(false));
  }

  #tell(isLast: boolean): void {
    if (this.#dropped === 0) return;
    const now = this.#clock.now();
    const facts = { dropped: this.#dropped, logged: 0, sinceMs: this.#droppedSinceMs };
    if (this.#parts.sink.write(recordOfGap(facts, this.#parts.origin(), now), isLast)) this.#dropped = 0;
    else this.#tellLater(now);
  }
}

function sourceOfCall(caller: Caller): string {
  const isKnown = caller.identity !== undefined || caller.bearer !== undefined;
  return sourceOf(isKnown ? callerPrincipal(caller) : '', caller.remoteAddress);
}

/** Who floods: a principal wherever it comes from, or else a host, whatever its port. */
function sourceOf(principal: string, remoteAddress: string): string {
  return principal === '' ? `host ${remoteAddress.replace(/:\d+$/, '')}` : `principal ${principal}`;
}
