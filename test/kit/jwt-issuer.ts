import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import type { JwtSettings } from '../../src/authentication/jwt-settings.ts';

export const JWT_SETTINGS: JwtSettings = {
  issuer: 'https://issuer.example',
  audiences: ['selvedge'],
  jwksFile: '/jwks.json',
  clockSkewMs: 30_000,
  rolesClaim: 'roles',
  adminValues: ['fabric-admin'],
  observerValues: ['fabric-observer'],
};

export interface Claims {
  readonly claims?: JWTPayload;
  /** Left out of the claims. */
  readonly without?: string;
  readonly header?: Readonly<Record<string, unknown>>;
}

/** Who makes JWTs: one key pair with a `kid`. */
export class JwtIssuer {
  readonly jwk: JWK;
  readonly #key: Parameters<SignJWT['sign']>[0];
  readonly #algorithm: string;

  static async make(kid: string, algorithm = 'ES256'): Promise<JwtIssuer> {
    const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
    return new JwtIssuer({ ...(await exportJWK(publicKey)), kid }, privateKey, algorithm);
  }

  private constructor(jwk: JWK, key: Parameters<SignJWT['sign']>[0], algorithm: string) {
    this.jwk = jwk;
    this.#key = key;
    this.#algorithm = algorithm;
  }

  /** A JWT that is good for an hour and gives the role admin, but for what is said otherwise. */
  sign({ claims = {}, without, header = {} }: Claims = {}): Promise<string> {
    const nowSeconds = Math.floor(Date.now() / 1_000);
    const all: Record<string, unknown> = {
      iss: JWT_SETTINGS.issuer,
      aud: 'selvedge',
      sub: 'ann',
      exp: nowSeconds + 3_600,
      roles: ['fabric-admin'],
      ...claims,
    };
    if (without !== undefined) delete all[without];
    const alg = this.#algorithm;
    return new SignJWT(all)
      .setProtectedHeader({ alg, kid: String(this.jwk.kid), typ: 'JWT', ...header })
      .sign(this.#key);
  }
}
