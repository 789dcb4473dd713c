import type { Metadata } from '@grpc/grpc-js';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { Security } from './security.ts';

/** What an admitted caller is. A connection holds a set of roles; see `docs/security.md`. */
export const ROLES = ['peer', 'admin', 'observer', 'anonymous', 'local'] as const;
export type Role = (typeof ROLES)[number];

/**
 * Who is at the other end of a call: bound to the connection that the call came over. Calls come over connections that
 * others dialled, and over the peer stream also over those that this node dialled.
 */
export interface Caller {
  /** The connection the call came over, whoever dialled it; the same number stands in logs and in `selvedgectl connections`. */
  readonly connectionId: number;
  /** `host:port`, as it was dialled where this node did; `unix` for a unix socket. */
  readonly remoteAddress: string;
  readonly security: Security;
  /** Names of the certificate, verified as that of a client; undefined where none was shown. */
  readonly identity: PeerIdentity | undefined;
  readonly roles: ReadonlySet<Role>;
  /** Whose token the call carries, where it needed one; undefined where it did not. */
  readonly bearer: Bearer | undefined;
}

/** The holder of a token that was found good. */
export interface Bearer {
  readonly kind: 'token' | 'jwt';
  /** Of a token, its name in the token file; of a JWT, its subject. */
  readonly name: string;
  /** What the token gives, whoever sends it. */
  readonly roles: ReadonlySet<Role>;
}

/** The caller of a call that carries a good token: holds what its certificate and its token give, and is not anonymous. */
export function withBearer(ofConnection: Caller, bearer: Bearer): Caller {
  const proven = [...ofConnection.roles].filter(role => role !== 'anonymous');
  return { ...ofConnection, roles: new Set([...proven, ...bearer.roles]), bearer };
}

const CALLER: unique symbol = Symbol('selvedge.caller');

interface BoundMetadata extends Metadata {
  [CALLER]?: Caller;
}

/**
 * Binds the caller to one call: to its metadata object, by a symbol, which no header of a peer can be. A `WeakMap` would
 * cost each call twenty times as much.
 */
export function bindCaller(metadata: BoundMetadata, caller: Caller): void {
  metadata[CALLER] = caller;
}

/**
 * The verified caller of a call, inside any handler of a server whose connections Selvedge admitted.
 * @throws TypeError on a call that did not come through a fabric listener or `FabricServerCredentials`.
 */
export function callerOf(call: { readonly metadata: Metadata }): Caller {
  const metadata: BoundMetadata = call.metadata;
  const caller = metadata[CALLER];
  if (caller === undefined) throw new TypeError('callerOf: this call did not come through a Selvedge listener');
  return caller;
}
