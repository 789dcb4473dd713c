/** What every token that we make begins with, so that scanners for leaked secrets can find it. */
export const TOKEN_PREFIX = 'selvedge_';

/**
 * Whether a text may name a static token: `[A-Za-z0-9][A-Za-z0-9._@-]{0,63}`. What begins like a token is no name: names
 * stand in logs.
 */
export function isTokenName(text: string): boolean {
  return !text.startsWith(TOKEN_PREFIX) && /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/.test(text);
}
