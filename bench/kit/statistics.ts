/** The middle of `values`; NaN where there are none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that the share `p` (0 to 1) of `values` does not exceed, interpolated; NaN where there are none. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * p;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

/**
 * The median of `values[i] / bases[i]`: what was measured in the same round is compared with each other, so that a
 * machine that is slow for a while is slow for both.
 */
export function medianRatio(values: readonly number[], bases: readonly number[]): number {
  return median(values.map((value, round) => value / (bases[round] ?? Number.NaN)));
}
