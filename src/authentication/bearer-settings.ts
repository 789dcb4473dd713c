import type { JwtSettings } from './jwt-settings.ts';

/** Which bearer tokens are taken. */
export interface BearerSettings {
  /** Absolute path of the token file; undefined: no static tokens. */
  readonly tokenFile: string | undefined;
  /** Undefined: no JWTs. */
  readonly jwt: JwtSettings | undefined;
  /** Whether they are taken over plaintext as well, where everybody on the way can read them. */
  readonly allowPlaintext: boolean;
}
