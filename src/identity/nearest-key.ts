/** The key that takes the fewest edits to get from `written`; the first of several, undefined where there are no keys. */
export function nearestKey(written: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const key of known) {
    const edits = editDistance(written, key);
    if (edits >= fewest) continue;
    fewest = edits;
    nearest = key;
  }
  return nearest;
}

/** How many insertions, deletions and replacements of one character lead from `from` to `to` (Levenshtein). */
export function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = at(previous, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, at(previous, column) + 1, at(current, column - 1) + 1));
    }
    previous = current;
  }
  return at(previous, to.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
