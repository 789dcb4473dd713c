import type { HeaderPattern } from './header-pattern.ts';
import type { PrincipalPattern } from './principal.ts';
import type { TextPattern } from './text-pattern.ts';

/** An authorization policy of gRFC A43, read and found good. */
export interface Policy {
  readonly name: string;
  /** As it was written. */
  readonly text: string;
  readonly denyRules: readonly PolicyRule[];
  readonly allowRules: readonly PolicyRule[];
  /** Whether allowed calls of the application are audited too (gRFC A59, `ON_ALLOW`). Denials always are. */
  readonly auditsAllowed: boolean;
}

/** It matches a call when each of its three lists does; an empty list does not ask. */
export interface PolicyRule {
  readonly name: string;
  /** One of them. */
  readonly principals: readonly PrincipalPattern[];
  /** One of them. */
  readonly paths: readonly TextPattern[];
  /** All of them. */
  readonly headers: readonly HeaderPattern[];
}
