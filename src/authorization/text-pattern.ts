/** How gRFC A43 compares texts, exactly and with case. */
export interface TextPattern {
  /** As it was written. */
  readonly text: string;
  readonly kind: 'exact' | 'prefix' | 'suffix' | 'presence';
  matches(value: string): boolean;
}

/**
 * `abc` matches itself, `abc*` what begins with `abc`, `*abc` what ends with it, `*` whatever is not empty. A `*` anywhere
 * else is a character as any other; where there is one at both ends, the first is.
 */
export function textPattern(text: string): TextPattern {
  if (text === '*') return { text, kind: 'presence', matches: value => value !== '' };
  if (text.endsWith('*')) {
    const prefix = text.slice(0, -1);
    return { text, kind: 'prefix', matches: value => value.startsWith(prefix) };
  }
  if (text.startsWith('*')) {
    const suffix = text.slice(1);
    return { text, kind: 'suffix', matches: value => value.endsWith(suffix) };
  }
  return { text, kind: 'exact', matches: value => value === text };
}
