import type { RotationStep } from './rotate-under-load.ts';

/** What issue and documentation promise: a consistent set is in use within this time. */
export const ADOPTION_LIMIT_MS = 2_000;

/** The middle one; of an even number, the greater of the two in the middle. 0 of none. */
export function medianOf(values: readonly number[]): number {
  return quantileOf(values, 0.5);
}

/** The report for people: a line for each step. */
export function rotationTable(steps: readonly RotationStep[]): readonly string[] {
  const header = ['STEP', 'TIMES', 'REFUSED SETS', 'CALLS', 'FAILED', 'MEDIAN MS', 'P95 MS', 'SLOWEST MS', 'OVER 2 S'];
  const rows = [header, ...steps.map(cellsOf)];
  const widths = header.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)));
  return rows.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('   ')
      .trimEnd(),
  );
}

function cellsOf({ name, adoptionsMs, refusedSets, calls, failed }: RotationStep): readonly string[] {
  const over = adoptionsMs.filter(ms => ms > ADOPTION_LIMIT_MS).length;
  const times = [medianOf(adoptionsMs), quantileOf(adoptionsMs, 0.95), quantileOf(adoptionsMs, 1)];
  return [name, ...[adoptionsMs.length, refusedSets, calls, failed, ...times, over].map(String)];
}

function quantileOf(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
