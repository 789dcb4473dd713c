import { constants } from 'node:http2';
import { judgePeerCertificate, type PeerChain, readPeerChain } from '../credentials/judge-peer.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import type { CloseReason, RefusalReason } from '../errors/refusal-reason.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { Caller } from '../rpc/caller.ts';
import type { Security } from '../rpc/security.ts';
import { nextConnectionId } from './connection-id.ts';
import type { Admit } from './listener-policy.ts';
import { type Refuser, remoteOf } from './refuser.ts';
import type { SecuredSession } from './session-of-call.ts';

/** What is to be done with the calls of a connection. */
export type Standing =
  | { readonly admitted: true; readonly caller: Caller }
  | {
      readonly admitted: false;
      readonly reason: RefusalReason;
      /** Whether the certificate itself is refused, rather than the names in it. */
      readonly unauthenticated: boolean;
      /** Nobody is told before then, in Unix milliseconds. */
      readonly tellAtMs: number;
    };

export interface JudgedConnectionParts {
  readonly trust: ObservableValue<TrustSnapshot>;
  readonly admit: Admit;
  readonly refuser: Refuser;
  /** How long to hold back a refusal of this peer, in milliseconds. */
  readonly refusalDelayMs: (remoteAddress: string) => number;
  /** Calls that still run this long after their connection was refused are cut. */
  readonly drainTimeoutMs: number;
}

/** A chain may hold a certificate that expires before the leaf does; that is noticed this late at most. */
const JUDGE_AGAIN_MS = 60 * 60 * 1_000;

/**
 * One TLS connection of a server that is not ours, judged when its first call comes and again whenever the verdict may
 * have changed.
 *
 * J1. `standing` is the verdict under the snapshot of this moment; the certificate is parsed only when that is new.
 * J2. A refused connection stays refused, is recorded once, told once, and closed: a peer that has renewed its
 *     certificate must dial anew to show it. Calls that run by then may finish, within a grace.
 */
export class JudgedConnection {
  readonly #secured: SecuredSession;
  readonly #parts: JudgedConnectionParts;
  readonly #chain: PeerChain | undefined;
  readonly #facts: Pick<Caller, 'connectionId' | 'remoteAddress' | 'security'>;
  #standing: Standing;
  #judgedBy: TrustSnapshot;
  #judgeAgainAtMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(secured: SecuredSession, parts: JudgedConnectionParts) {
    this.#secured = secured;
    this.#parts = parts;
    this.#chain = readPeerChain(secured.socket);
    this.#facts = {
      connectionId: nextConnectionId(),
      remoteAddress: remoteOf(secured.socket),
      security: securityOf(secured),
    };
    this.#judgedBy = parts.trust.value;
    this.#standing = this.#judge();
    secured.session.once('close', () => clearTimeout(this.#timer));
  }

  get standing(): Standing {
    const isNews = this.#judgedBy !== this.#parts.trust.value || Date.now() >= this.#judgeAgainAtMs;
    if (this.#standing.admitted && isNews) this.#standing = this.#judge();
    return this.#standing;
  }

  /** Why we closed it; undefined while we did not. */
  get closeReason(): CloseReason | undefined {
    return this.#standing.admitted ? undefined : 'credentials_rotated';
  }

  #judge(): Standing {
    const snapshot = this.#parts.trust.value;
    const now = new Date();
    this.#judgedBy = snapshot;
    const verdict = judgePeerCertificate(this.#chain, snapshot, 'client', now);
    if (!verdict.ok) {
      this.#parts.refuser.record(this.#secured.socket, verdict);
      return this.#refuse(verdict.reason, true, now);
    }
    const { identity } = verdict;
    const admission = this.#parts.admit(identity, this.#facts.security);
    if (!admission.admitted) {
      this.#parts.refuser.record(this.#secured.socket, { ...admission, identity });
      return this.#refuse(admission.reason, false, now);
    }
    // A certificate is valid through its last second (RFC 5280 4.1.2.5).
    this.#judgeAgainAtMs = Math.min(identity.notAfter.getTime() + 1_000, now.getTime() + JUDGE_AGAIN_MS);
    this.#after(this.#judgeAgainAtMs - now.getTime(), () => void this.standing);
    return { admitted: true, caller: { ...this.#facts, identity, roles: admission.roles } };
  }

  #refuse(reason: RefusalReason, unauthenticated: boolean, now: Date): Standing {
    const { session, socket } = this.#secured;
    const delayMs = this.#parts.refusalDelayMs(socket.remoteAddress ?? '');
    this.#after(delayMs, () => {
      // A GOAWAY without an error code: with one, the peer would drop the calls that are about to be told.
      session.close();
      this.#after(this.#parts.drainTimeoutMs, () => session.destroy(undefined, constants.NGHTTP2_CANCEL));
    });
    return { admitted: false, reason, unauthenticated, tellAtMs: now.getTime() + delayMs };
  }

  #after(delayMs: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, Math.max(1, delayMs)).unref();
  }
}

function securityOf({ socket }: SecuredSession): Security {
  return { kind: 'mutual_tls', protocol: socket.getProtocol() ?? 'unknown', cipher: socket.getCipher().name };
}
