/** What the `authorization` metadata of a call holds. */
export type AuthorizationHeader =
  | { readonly kind: 'absent' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'bearer'; readonly token: string };

/** A longer one is malformed: nothing of it is read. */
export const MAX_TOKEN_LENGTH = 8_192;

/**
 * The one bearer token of a call (RFC 6750 2.1, `b64token`; the scheme ignores case, RFC 9110 11.1). Several values,
 * another scheme, no token, or anything beside it: malformed.
 */
export function readAuthorization(values: readonly (string | Buffer)[]): AuthorizationHeader {
  const [value] = values;
  if (value === undefined) return { kind: 'absent' };
  if (values.length > 1 || typeof value !== 'string' || value.length > MAX_TOKEN_LENGTH + 'Bearer '.length)
    return { kind: 'malformed' };
  const [, token = ''] = /^bearer (.+)$/i.exec(value) ?? [];
  return isBearerToken(token) ? { kind: 'bearer', token } : { kind: 'malformed' };
}

/** Whether a text could be a bearer token: `b64token`, of at most {@link MAX_TOKEN_LENGTH} characters. */
export function isBearerToken(text: string): boolean {
  return text.length <= MAX_TOKEN_LENGTH && /^[A-Za-z0-9\-._~+/]+=*$/.test(text);
}
