const UNITS: readonly (readonly [string, number])[] = [
  ['y', 365 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
];
/** Years are too coarse until there are two of them. */
const MIN_YEARS_MS = 2 * 365 * 86_400_000;

/** `in 29d`, `3m ago` or `now`, in the largest unit that fits, rounded down. Empty for 0, which stands for never. */
export function relativeTime(timeMs: number, now: Date): string {
  if (timeMs === 0) return '';
  const distanceMs = timeMs - now.getTime();
  const text = durationText(Math.abs(distanceMs));
  if (text === '') return 'now';
  return distanceMs > 0 ? `in ${text}` : `${text} ago`;
}

/** `expires in 29d` or `expired 3d ago`; empty for 0. */
export function expiryText(timeMs: number, now: Date): string {
  if (timeMs === 0) return '';
  const verb = timeMs > now.getTime() ? 'expires' : 'expired';
  return `${verb} ${relativeTime(timeMs, now)}`;
}

function durationText(durationMs: number): string {
  for (const [unit, unitMs] of UNITS) {
    if (unit === 'y' && durationMs < MIN_YEARS_MS) continue;
    const count = Math.floor(durationMs / unitMs);
    if (count > 0) return `${count}${unit}`;
  }
  return '';
}
