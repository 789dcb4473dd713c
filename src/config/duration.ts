const MS_PER_UNIT = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/**
 * Milliseconds of a text such as `500ms`, `30s`, `5m`, `1h` or `1.5s`; undefined where it is none. One number and one
 * unit, without a sign; a number alone is none, since nobody could tell what it counts.
 */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  if (match === null) return undefined;
  const [, amount, unit] = match;
  const ms = Number(amount) * MS_PER_UNIT[unit as keyof typeof MS_PER_UNIT];
  return Math.round(ms);
}
