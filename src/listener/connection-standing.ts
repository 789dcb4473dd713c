import { judgePeerCertificate, type PeerChain } from '../credentials/judge-peer.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { Role } from '../rpc/caller.ts';
import type { Security } from '../rpc/security.ts';
import type { Admit } from './listener-policy.ts';

/** Whether the peer of a connection may be here. */
export type Standing =
  | {
      readonly admitted: true;
      /** Undefined where no certificate was shown. */
      readonly identity: PeerIdentity | undefined;
      readonly roles: ReadonlySet<Role>;
      /** From then on it must be asked again, in Unix milliseconds; infinity without a certificate. */
      readonly validUntilMs: number;
    }
  | {
      readonly admitted: false;
      readonly reason: RefusalReason;
      /** For the log. */
      readonly detail: string;
      readonly identity: PeerIdentity | undefined;
      /** Whether the certificate itself is refused, rather than the names in it. */
      readonly unauthenticated: boolean;
    };

/** What the standing of a connection follows from. */
export interface StandingParts {
  readonly trust: ObservableValue<TrustSnapshot | undefined>;
  readonly policy: ObservableValue<{ readonly requireClientAuth: boolean }>;
  /** A new function where the lists behind it are others. */
  readonly admit: ObservableValue<Admit>;
}

const NOBODY_IS_TRUSTED: Standing = {
  admitted: false,
  reason: 'unknown_ca',
  detail: 'this node trusts no CA any more',
  identity: undefined,
  unauthenticated: true,
};

/**
 * The standing of one connection, from its acceptance to its end.
 *
 * C1. `now` is the verdict under the snapshot, the lists and the clock of this moment; the certificate is looked at
 *     again only when one of them may have changed it.
 * C2. Who was refused stays refused: a peer that has renewed its certificate must dial anew to show it.
 */
export class ConnectionStanding {
  readonly security: Security;
  /** What the peer presented; undefined where it showed nothing. */
  readonly chain: PeerChain | undefined;
  readonly #parts: StandingParts;
  #judgedUnder: readonly unknown[] = [];
  #last: Standing | undefined;

  constructor(chain: PeerChain | undefined, security: Security, parts: StandingParts) {
    this.chain = chain;
    this.security = security;
    this.#parts = parts;
  }

  get now(): Standing {
    const last = this.#last;
    if (last !== undefined && (!last.admitted || this.#isFresh(last.validUntilMs))) return last;
    const { trust, policy, admit } = this.#parts;
    const isListedAnew = last !== undefined && admit.value !== this.#judgedUnder.at(-1);
    this.#judgedUnder = [trust.value, policy.value.requireClientAuth, admit.value];
    this.#last = (isListedAnew ? this.#turnedAway(last.identity) : undefined) ?? this.#judge();
    return this.#last;
  }

  #isFresh(validUntilMs: number): boolean {
    const { trust, policy, admit } = this.#parts;
    const [snapshot, requireClientAuth, admitting] = this.#judgedUnder;
    return (
      snapshot === trust.value &&
      requireClientAuth === policy.value.requireClientAuth &&
      admitting === admit.value &&
      Date.now() < validUntilMs
    );
  }

  /** Whom new lists no longer admit costs no look at its chain. Only who was admitted before: a stranger learns nothing of lists. */
  #turnedAway(proven: PeerIdentity | undefined): Standing | undefined {
    if (proven === undefined) return undefined;
    const standing = this.#admitted(proven, Number.POSITIVE_INFINITY);
    return standing.admitted ? undefined : standing;
  }

  #judge(): Standing {
    const { trust, policy } = this.#parts;
    const isProofAsked = this.chain !== undefined || policy.value.requireClientAuth;
    if (this.security.kind === 'none' || !isProofAsked) return this.#admitted(undefined, Number.POSITIVE_INFINITY);
    if (trust.value === undefined) return NOBODY_IS_TRUSTED;
    const verdict = judgePeerCertificate(this.chain, trust.value, 'client', new Date());
    if (!verdict.ok) return { ...verdict, admitted: false, unauthenticated: true };
    return this.#admitted(verdict.identity, verdict.validUntilMs);
  }

  #admitted(identity: PeerIdentity | undefined, validUntilMs: number): Standing {
    const admission = this.#parts.admit.value(identity, this.security);
    if (!admission.admitted) return { ...admission, identity, unauthenticated: false };
    return { admitted: true, identity, roles: admission.roles, validUntilMs };
  }
}
