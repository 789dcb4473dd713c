import type { NodeSettings } from './node-settings.ts';

const HOUR_MS = 3_600_000;

/** What is left when a deadline is announced, the longest first. */
export const ANNOUNCED_MS: readonly number[] = [7 * 24 * HOUR_MS, 24 * HOUR_MS, HOUR_MS];

/** The announcement that holds at a time: one of {@link ANNOUNCED_MS}; undefined long before it, and after it. */
export function announcementAt(deadlineMs: number, nowMs: number): number | undefined {
  if (nowMs >= deadlineMs) return undefined;
  return ANNOUNCED_MS.findLast(leftMs => nowMs >= deadlineMs - leftMs);
}

/** When the next announcement is due, or the deadline itself; infinity after it. */
export function nextStepOf(deadlineMs: number, nowMs: number): number {
  const steps = [...ANNOUNCED_MS.map(leftMs => deadlineMs - leftMs), deadlineMs];
  return steps.find(step => step > nowMs) ?? Number.POSITIVE_INFINITY;
}

/** The deadline in Unix milliseconds; undefined where there is none. */
export function deadlineOf({ tls }: Pick<NodeSettings, 'tls'>): number | undefined {
  return tls?.plaintextDeadline?.getTime();
}

/**
 * What a node does that was configured like this: it is strict when it has turned after this very deadline.
 * @param turnedAfterMs the deadline after which it turned.
 */
export function effectiveSettings(configured: NodeSettings, turnedAfterMs: number | undefined): NodeSettings {
  const { mode, tls } = configured;
  const hasTurned = turnedAfterMs !== undefined && turnedAfterMs === deadlineOf(configured);
  if (mode !== 'optional' || tls === undefined || !hasTurned) return configured;
  return { ...configured, mode: 'strict', tls: { ...tls, mode: 'strict' } };
}

/** Two lists of obstacles say the same when nothing but counts differs. */
export function sameObstacles(one: readonly string[], other: readonly string[]): boolean {
  const words = (obstacles: readonly string[]) => obstacles.map(text => text.replace(/^\d+ /, '')).join('\n');
  return words(one) === words(other);
}
