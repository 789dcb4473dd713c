import type { CloseReason } from '../errors/refusal-reason.ts';
import type { SelvedgeError } from '../errors/selvedge-error.ts';
import type { DialTarget } from './dial-target.ts';
import type { ChannelSecurity } from './fabric-channel-credentials.ts';

/** One address to dial and how to secure it. */
export interface PlannedDial {
  readonly target: DialTarget;
  readonly security: ChannelSecurity;
  /** Equal for plans that an open connection satisfies; differs when address, scheme or credentials changed. */
  readonly epoch: string;
}

/** What a channel should dial now, or why it cannot dial at all. */
export type DialPlan =
  | {
      /** The best first; never empty. */
      readonly dials: readonly PlannedDial[];
      /** False in strict mode: a plaintext connection must not carry another call, not even until TLS is ready. */
      readonly mayKeepPlaintext: boolean;
    }
  | { readonly error: SelvedgeError };

/** Calls may finish on an old connection, but not stay in plaintext (or TLS) for long once the other is dialled. */
export function cutReason(before: PlannedDial, after: PlannedDial): CloseReason | undefined {
  return before.target.scheme === after.target.scheme ? undefined : 'mode_changed';
}
