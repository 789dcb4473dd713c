import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
// By parts: a node that takes no JWTs does not load the rest.
import type { JSONWebKeySet, JWK, JWTPayload } from 'jose';
import { JOSEError, JWTClaimValidationFailed } from 'jose/errors';
import { createLocalJWKSet } from 'jose/jwks/local';
import { jwtVerify } from 'jose/jwt/verify';
import type { AuthenticationFailure } from '../errors/authentication-failure.ts';
import type { BearerRole } from './bearer-role.ts';
import { BoundedCache } from './bounded-cache.ts';
import { ALGORITHMS } from './jwt-algorithms.ts';
import { rolesOfClaims } from './jwt-roles.ts';
import type { JwtSettings } from './jwt-settings.ts';

/** What a JWT says of who bears it. */
export interface VerifiedJwt {
  /** The claim `sub`. */
  readonly subject: string;
  readonly roles: ReadonlySet<BearerRole>;
  /** The claim `exp` with the clock skew, in Unix milliseconds. */
  readonly expiresAtMs: number;
  /** Which keys of the set may have signed it: those of its `kid`, all where it names none. */
  readonly keys: readonly JWK[];
}

export type JwtVerdict = VerifiedJwt | { readonly failure: AuthenticationFailure };

const MAX_CACHED = 1_000;
const MAX_SUBJECT_LENGTH = 256;

/** `typ` of tokens that are for calls (RFC 7519 5.1, RFC 9068 2.1); others, such as `dpop+jwt`, are for something else. */
const TYPES: readonly string[] = ['jwt', 'at+jwt'];

/**
 * Verifies JWTs (RFC 7519, with the practices of RFC 8725) under one set of settings and keys; other settings or keys
 * are another verifier. A token that was good is not verified again until it expires.
 */
export class JwtVerifier {
  readonly #settings: JwtSettings;
  readonly #jwks: JSONWebKeySet;
  readonly #keys: ReturnType<typeof createLocalJWKSet>;
  /** By the hash of the token. */
  readonly #good = new BoundedCache<VerifiedJwt>(MAX_CACHED);

  constructor(settings: JwtSettings, jwks: JSONWebKeySet) {
    this.#settings = settings;
    this.#jwks = jwks;
    this.#keys = createLocalJWKSet(jwks);
  }

  /** What is known of a token without looking at its signature: undefined unless it was found good before. */
  known(token: string, nowMs: number): VerifiedJwt | undefined {
    const known = this.#good.get(keyOf(token));
    return known !== undefined && nowMs < known.expiresAtMs ? known : undefined;
  }

  /** Never rejects. */
  async verify(token: string, nowMs: number): Promise<JwtVerdict> {
    const { issuer, audiences, clockSkewMs } = this.#settings;
    try {
      const { payload, protectedHeader } = await jwtVerify(token, this.#keys, {
        algorithms: [...ALGORITHMS],
        issuer,
        audience: [...audiences],
        requiredClaims: ['exp', 'sub'],
        clockTolerance: clockSkewMs / 1_000,
        currentDate: new Date(nowMs),
      });
      if (!isForCalls(protectedHeader.typ)) return { failure: 'jwt_type_not_allowed' };
      const verified = this.#read(payload, protectedHeader.kid);
      if ('subject' in verified) this.#good.set(keyOf(token), verified);
      return verified;
    } catch (error) {
      return { failure: failureOf(error) };
    }
  }

  /** Whether what another verifier found good would be found good here: the same settings, and its key is still there. */
  vouchesFor(verified: VerifiedJwt, by: JwtVerifier): boolean {
    if (by === this) return true;
    const isThere = (key: JWK) => this.#jwks.keys.some(other => isDeepStrictEqual(other, key));
    return isDeepStrictEqual(by.#settings, this.#settings) && verified.keys.every(isThere);
  }

  #read(payload: JWTPayload, kid: string | undefined): JwtVerdict {
    const { sub, exp } = payload;
    if (typeof sub !== 'string' || sub === '' || sub.length > MAX_SUBJECT_LENGTH || typeof exp !== 'number')
      return { failure: 'jwt_missing_claim' };
    return {
      subject: sub,
      roles: rolesOfClaims(payload, this.#settings),
      expiresAtMs: exp * 1_000 + this.#settings.clockSkewMs,
      keys: this.#jwks.keys.filter(key => kid === undefined || key.kid === kid),
    };
  }
}

/** A text of three parts is taken for a JWT; tokens of ours hold no dot. */
export function looksLikeJwt(token: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(token);
}

function keyOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}

function isForCalls(type: unknown): boolean {
  return (
    type === undefined || (typeof type === 'string' && TYPES.includes(type.toLowerCase().replace(/^application\//, '')))
  );
}

const FAILURES: Readonly<Record<string, AuthenticationFailure>> = {
  ERR_JOSE_ALG_NOT_ALLOWED: 'jwt_algorithm_not_allowed',
  ERR_JOSE_NOT_SUPPORTED: 'jwt_algorithm_not_allowed',
  ERR_JWKS_NO_MATCHING_KEY: 'jwt_unknown_key',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'jwt_unknown_key',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'jwt_bad_signature',
  ERR_JWT_EXPIRED: 'token_expired',
};

const FAILURE_OF_CLAIM: Readonly<Record<string, AuthenticationFailure>> = {
  iss: 'jwt_wrong_issuer',
  aud: 'jwt_wrong_audience',
  nbf: 'token_not_yet_valid',
};

function failureOf(error: unknown): AuthenticationFailure {
  if (error instanceof JWTClaimValidationFailed)
    return error.reason === 'missing' ? 'jwt_missing_claim' : (FAILURE_OF_CLAIM[error.claim] ?? 'jwt_missing_claim');
  return (error instanceof JOSEError ? FAILURES[error.code] : undefined) ?? 'jwt_malformed';
}
