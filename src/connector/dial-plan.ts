import type { EndReason } from '../errors/refusal-reason.ts';
import type { SelvedgeError } from '../errors/selvedge-error.ts';
import type { DialTarget } from './dial-target.ts';
import type { ChannelSecurity } from './fabric-channel-credentials.ts';

/** One address to dial and how to secure it. */
export interface PlannedDial {
  readonly target: DialTarget;
  readonly security: ChannelSecurity;
  /** Differs when a connection must be dialled anew: another address, scheme, version floor, or certificate to show. */
  readonly epoch: string;
  /** Differs when a server is held against something else: other anchors, lists or names. Open connections are judged again. */
  readonly standard: string;
}

/** What a channel should dial now, or why it cannot dial at all. */
export type DialPlan =
  | {
      /** The best first; never empty. */
      readonly dials: readonly PlannedDial[];
      /** False in strict mode, and where a step down is refused: plaintext carries no other call, not even until TLS is ready. */
      readonly mayKeepPlaintext: boolean;
    }
  | { readonly error: SelvedgeError };

/** Calls may finish on an old connection, but not stay in plaintext (or TLS) for long once the other is dialled. */
export function cutReason(before: PlannedDial, after: PlannedDial): EndReason | undefined {
  return before.target.scheme === after.target.scheme ? undefined : 'mode_changed';
}

/** What to dial in the place of a dial that failed: the same while it is planned, else the best there is. */
export function dialledAgain(plan: DialPlan, failed: PlannedDial): PlannedDial {
  if ('error' in plan) return failed;
  return plan.dials.find(({ epoch }) => epoch === failed.epoch) ?? plan.dials[0] ?? failed;
}
