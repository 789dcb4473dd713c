import type * as grpc from '@grpc/grpc-js';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { Caller, Role } from '../rpc/caller.ts';
import type { Decision } from '../rpc/decision.ts';
import type { Security } from '../rpc/security.ts';

/** What the listener accepts; changes while it runs. */
export interface ListenerPolicy {
  readonly mode: 'plain' | 'optional' | 'strict';
  /** Whether a TLS client must show a certificate. */
  readonly requireClientAuth: boolean;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Deadline of the first bytes. */
  readonly sniffTimeoutMs: number;
  /** Deadline of the TLS handshake, from its first byte. */
  readonly handshakeTimeoutMs: number;
  /** How long calls may go on over a connection whose peer may no longer be here; then they are cut, with the reason. */
  readonly withdrawalGraceMs: number;
}

/** The verdict on a peer: which roles it holds, or why it may not connect. */
export type Admission =
  | { readonly admitted: true; readonly roles: ReadonlySet<Role> }
  | { readonly admitted: false; readonly reason: RefusalReason; readonly detail: string };

/**
 * Decides on a peer whose certificate chain is already verified, or who showed none. Handed in by the owner: the
 * listener knows no names and no roles.
 */
export type Admit = (identity: PeerIdentity | undefined, security: Security) => Admission;

/** Decides on one call. Called for each, so it must be cheap. Handed in by the owner. */
export type AuthorizeCall = (caller: Caller, methodPath: string, metadata: grpc.Metadata) => Decision;

/**
 * Turns the caller of a connection into the caller of one call, by what that call carries. A decision is a denial: the
 * call ends with UNAUTHENTICATED. Handed in by the owner.
 */
export type AuthenticateCall = (
  caller: Caller,
  methodPath: string,
  metadata: grpc.Metadata,
) => Caller | Denial | Promise<Caller | Denial>;

/** That nobody was found behind a call. */
export type Denial = Decision & { readonly allowed: false };

/**
 * Told of every decision on a call, before the call goes on or ends.
 * @param metadata of the call; undefined where no rule was asked: nobody was found behind it, or its connection must go.
 */
export type CallDecided = (
  caller: Caller,
  methodPath: string,
  decision: Decision,
  metadata: grpc.Metadata | undefined,
) => void;

/** What is asked of every call of a listener. */
export interface CallRules {
  /** Another function when what it decides by changed: then running calls are judged again. */
  readonly authorize: ObservableValue<AuthorizeCall>;
  /** Default: the caller of the connection is that of each call. */
  readonly authenticate?: AuthenticateCall;
  /** Default: nobody is told. */
  readonly decided?: CallDecided;
  /** Whether `decided` does anything with what is allowed and changes nothing of the node, now. Default: it does. */
  readonly hearsAllowed?: () => boolean;
}

/** Caps of one listener. */
export interface ListenerLimits {
  /** Open connections; the next one is refused as `too_many_connections`. */
  readonly maxConnections: number;
  /** Of these, TLS connections that show no certificate, so that strangers leave room for peers. */
  readonly maxConnectionsWithoutCertificate: number;
  /** Connections still sniffing or in a handshake; beyond it the *oldest* is dropped, so a newcomer always gets its chance. */
  readonly maxUnfinishedHandshakes: number;
}
