/** JSON as scripts get it: fields in snake_case as in the proto files, dates as ISO text, two spaces of indentation. */
export function jsonText(value: unknown): string {
  return JSON.stringify(withSnakeCaseKeys(value), null, 2);
}

/** The keys of these are data, not names of fields. */
const MAPS: ReadonlySet<string> = new Set(['labels']);

function withSnakeCaseKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withSnakeCaseKeys);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [snakeCase(key), MAPS.has(key) ? field : withSnakeCaseKeys(field)]),
  );
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
}
