import { constants } from 'node:http2';
import { readPeerChain } from '../credentials/judge-peer.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import { atTime } from '../lifecycle/at-time.ts';
import { constant, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { Caller } from '../rpc/caller.ts';
import type { Security } from '../rpc/security.ts';
import { nextConnectionId } from './connection-id.ts';
import { ConnectionStanding, type Standing } from './connection-standing.ts';
import type { Admit } from './listener-policy.ts';
import { type Refuser, remoteOf } from './refuser.ts';
import type { SecuredSession } from './session-of-call.ts';

/** What is to be done with the calls of a connection. */
export type CallStanding =
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
  readonly #standing: ConnectionStanding;
  readonly #facts: Pick<Caller, 'connectionId' | 'remoteAddress' | 'security'>;
  #refused: Extract<CallStanding, { admitted: false }> | undefined;
  #awaitedEndMs = 0;
  #stopAwaiting: () => void = () => {};

  constructor(secured: SecuredSession, parts: JudgedConnectionParts) {
    this.#secured = secured;
    this.#parts = parts;
    const security = securityOf(secured);
    this.#standing = new ConnectionStanding(readPeerChain(secured.socket), security, {
      trust: parts.trust,
      policy: constant({ requireClientAuth: true }),
      admit: constant(parts.admit),
    });
    this.#facts = { connectionId: nextConnectionId(), remoteAddress: remoteOf(secured.socket), security };
    secured.session.once('close', () => this.#stopAwaiting());
  }

  get standing(): CallStanding {
    if (this.#refused !== undefined) return this.#refused;
    const now = this.#standing.now;
    if (!now.admitted) return this.#refuse(now);
    this.#awaitEnd(now.validUntilMs);
    return { admitted: true, caller: { ...this.#facts, identity: now.identity, roles: now.roles } };
  }

  /** Why we closed it; undefined while we did not. */
  get closeReason(): RefusalReason | undefined {
    return this.#refused?.reason;
  }

  #awaitEnd(validUntilMs: number): void {
    if (this.#awaitedEndMs === validUntilMs || this.#secured.session.destroyed) return;
    this.#awaitedEndMs = validUntilMs;
    this.#stopAwaiting();
    this.#stopAwaiting = atTime(validUntilMs, () => void this.standing);
  }

  #refuse(standing: Extract<Standing, { admitted: false }>): CallStanding {
    const { session, socket } = this.#secured;
    const { refuser, refusalDelayMs, drainTimeoutMs } = this.#parts;
    refuser.record(socket, standing);
    const delayMs = refusalDelayMs(socket.remoteAddress ?? '');
    this.#after(delayMs, () => {
      // A GOAWAY without an error code: with one, the peer would drop the calls that are about to be told.
      session.close();
      this.#after(drainTimeoutMs, () => session.destroy(undefined, constants.NGHTTP2_CANCEL));
    });
    const { reason, unauthenticated } = standing;
    this.#refused = { admitted: false, reason, unauthenticated, tellAtMs: Date.now() + delayMs };
    return this.#refused;
  }

  #after(delayMs: number, act: () => void): void {
    this.#stopAwaiting();
    const timer = setTimeout(act, Math.max(1, delayMs)).unref();
    this.#stopAwaiting = () => clearTimeout(timer);
  }
}

function securityOf({ socket }: SecuredSession): Security {
  return { kind: 'mutual_tls', protocol: socket.getProtocol() ?? 'unknown', cipher: socket.getCipher().name };
}
