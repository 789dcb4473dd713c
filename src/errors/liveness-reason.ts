import type { EndReason } from './refusal-reason.ts';

/** Why a member is held for alive, suspect or dead, where that is no reason for which a stream ended or was refused. */
export const LIVENESS_REASONS = [
  'never_heard',
  'connected',
  'restarted',
  'silence',
  'unreachable',
  'permission_denied',
  'recovering',
  'recovered',
] as const;

/** Why the liveness of a member is what it is: a word of that list, a close reason, or a refusal reason. */
export type LivenessReason = (typeof LIVENESS_REASONS)[number] | EndReason | 'idle';
