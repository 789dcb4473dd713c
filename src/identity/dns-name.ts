const MAX_NAME_LENGTH = 253;
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * The labels of a DNS name in lower case, without a trailing dot; undefined when the text is none. Letters, digits,
 * hyphens and underscores (RFC 1123, and what container platforms use); the last label is not a number, since such
 * texts are read as IPv4 addresses by resolvers. International names are only known in their `xn--` form.
 */
export function parseDnsName(text: string): readonly string[] | undefined {
  const name = canonicalDnsName(text);
  if (name.length > MAX_NAME_LENGTH) return undefined;
  const labels = name.split('.');
  if (!labels.every(label => LABEL.test(label))) return undefined;
  return isNumeric(labels.at(-1) ?? '') ? undefined : labels;
}

/** As {@link parseDnsName}, and the leftmost label may be `*` alone, as certificates have it (RFC 9525 6.3). */
export function parsePresentedDnsName(text: string): readonly string[] | undefined {
  if (!text.startsWith('*.')) return parseDnsName(text);
  const rest = parseDnsName(text.slice(2));
  return rest === undefined ? undefined : ['*', ...rest];
}

/** Lower case and without one trailing dot. ASCII only: no other letter becomes an ASCII one on the way. */
export function canonicalDnsName(text: string): string {
  return asciiLowerCase(text.endsWith('.') ? text.slice(0, -1) : text);
}

/** Lower-cases A to Z alone: `toLowerCase` would turn the Kelvin sign into a `k`. */
export function asciiLowerCase(text: string): string {
  return text.replace(/[A-Z]/g, letter => letter.toLowerCase());
}

function isNumeric(label: string): boolean {
  return /^([0-9]+|0x[0-9a-f]*)$/.test(label);
}
