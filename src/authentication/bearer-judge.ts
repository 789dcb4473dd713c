import type { AuthenticationFailure } from '../errors/authentication-failure.ts';
import type { Bearer } from '../rpc/caller.ts';
import { type JwtVerifier, looksLikeJwt, type VerifiedJwt } from './jwt-verifier.ts';
import { findToken } from './static-token.ts';
import type { TokenEntry } from './token-file.ts';

/** What tokens are judged by at one moment. */
export interface BearerRules {
  /** Undefined: no static token is taken. */
  readonly tokens: readonly TokenEntry[] | undefined;
  /** Undefined: no JWT is taken. */
  readonly verifier: JwtVerifier | undefined;
  /** Whether tokens are taken over plaintext. */
  readonly allowPlaintext: boolean;
}

/** A token that was found good, and what that rests on. Holds nothing by which the token could be known. */
export type Grant =
  | { readonly bearer: Bearer; readonly expiresAtMs: number; readonly entry: TokenEntry }
  | {
      readonly bearer: Bearer;
      readonly expiresAtMs: number;
      readonly jwt: VerifiedJwt;
      readonly verifier: JwtVerifier;
    };

export type BearerVerdict = Grant | { readonly failure: AuthenticationFailure };

/**
 * What is known of a token without looking at a signature; undefined where only that can tell. A text that looks like a
 * JWT is judged as one where JWTs are taken.
 */
export function judgeAtOnce(
  { tokens, verifier }: BearerRules,
  token: string,
  nowMs: number,
): BearerVerdict | undefined {
  if (verifier !== undefined && looksLikeJwt(token)) {
    const known = verifier.known(token, nowMs);
    return known && grantOfJwt(known, verifier);
  }
  const entry = findToken(tokens ?? [], token);
  if (entry === undefined) return { failure: 'unknown_token' };
  if (nowMs >= entry.expiresAtMs) return { failure: 'token_expired' };
  const { name, roles, expiresAtMs } = entry;
  return { bearer: { kind: 'token', name, roles }, expiresAtMs, entry };
}

/** Looks at the signature. Never rejects. */
export async function judgeJwt(verifier: JwtVerifier, token: string, nowMs: number): Promise<BearerVerdict> {
  const verdict = await verifier.verify(token, nowMs);
  return 'failure' in verdict ? verdict : grantOfJwt(verdict, verifier);
}

/** Whether a token that was found good would be so under the rules of now, and give as much. */
export function stillHolds(grant: Grant, { tokens, verifier }: BearerRules, nowMs: number): boolean {
  if (nowMs >= grant.expiresAtMs) return false;
  if ('jwt' in grant) return verifier?.vouchesFor(grant.jwt, grant.verifier) ?? false;
  const { entry } = grant;
  return (tokens ?? []).some(
    other =>
      other.name === entry.name &&
      other.hash.equals(entry.hash) &&
      nowMs < other.expiresAtMs &&
      [...entry.roles].every(role => other.roles.has(role)),
  );
}

function grantOfJwt(jwt: VerifiedJwt, verifier: JwtVerifier): Grant {
  const { subject: name, roles, expiresAtMs } = jwt;
  return { bearer: { kind: 'jwt', name, roles }, expiresAtMs, jwt, verifier };
}
