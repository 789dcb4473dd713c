import { principalOf } from '../authorization/principal.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { Caller, Role } from '../rpc/caller.ts';
import { printable } from '../telemetry/logger.ts';

const MAX_LENGTH = 512;

/** With these a certificate was shown that no CA of ours vouches for: what it says of itself is nobody's name. */
const UNPROVEN: readonly RefusalReason[] = ['unknown_ca', 'malformed_certificate'];

const NO_ROLES: ReadonlySet<Role> = new Set();

/** Who makes a call, as policies call it, in one printable line. */
export function callerPrincipal(caller: Caller): string {
  return printable(principalOf(caller), MAX_LENGTH);
}

/** The same of a peer that was refused; empty where nothing was proven. */
export function refusedPrincipal(reason: RefusalReason, identity: PeerIdentity | undefined): string {
  if (identity === undefined || UNPROVEN.includes(reason)) return '';
  return printable(principalOf({ identity, bearer: undefined, roles: NO_ROLES }), MAX_LENGTH);
}
