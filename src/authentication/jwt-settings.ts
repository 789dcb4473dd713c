/** Which JWTs are taken, and what they give. */
export interface JwtSettings {
  /** Exactly the claim `iss`. */
  readonly issuer: string;
  /** One of them must be in the claim `aud`. */
  readonly audiences: readonly string[];
  /** Absolute path of a JWK set (RFC 7517) with public keys. */
  readonly jwksFile: string;
  /** By how much the clocks may differ, for `exp` and `nbf`. */
  readonly clockSkewMs: number;
  /** Name of the claim that says the roles; where it begins with `/`, a JSON pointer (RFC 6901). */
  readonly rolesClaim: string;
  /** Values of that claim which give the role `admin`. */
  readonly adminValues: readonly string[];
  readonly observerValues: readonly string[];
}
