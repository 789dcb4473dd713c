import { constants, type ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { readPeerChain } from '../credentials/judge-peer.ts';
import type { TrustSnapshot } from '../credentials/trust-snapshot.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import { atTime } from '../lifecycle/at-time.ts';
import { constant, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { Caller } from '../rpc/caller.ts';
import { nextConnectionId } from '../rpc/connection-id.ts';
import type { Security } from '../rpc/security.ts';
import { ConnectionStanding, type Standing } from './connection-standing.ts';
import type { Admit } from './listener-policy.ts';
import { type Refusal, type Refuser, remoteOf } from './refuser.ts';

/** How long a peer may take to read the last statuses. */
const LAST_STATUS_MS = 3_000;

type NotAdmitted = Extract<Standing, { admitted: false }>;

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

/** A call that a handler has. */
export interface CuttableCall {
  cut(reason: RefusalReason): void;
}

export interface JudgedConnectionParts {
  readonly trust: ObservableValue<TrustSnapshot>;
  readonly admit: Admit;
  readonly refuser: Refuser;
  /** How long to hold back a refusal of this peer, in milliseconds. */
  readonly refusalDelayMs: (remoteAddress: string) => number;
  /** How long calls may go on over a connection that must go, in milliseconds. */
  readonly withdrawalGraceMs: number;
  /** It was admitted and must go; told once. */
  readonly withdrawn: (caller: Caller, refusal: Refusal, facts: { activeCalls: number; graceMs: number }) => void;
}

/**
 * One TLS connection of a server that is not ours, judged when it is secured and again whenever the verdict may have
 * changed.
 *
 * J1. `standing` is the verdict under the snapshot of this moment; the certificate is parsed only when that is new.
 * J2. A refused connection stays refused, is recorded once, told at its first call, and closed: a peer that has renewed
 *     its certificate must dial anew to show it.
 * J3. One that was admitted and must go gets GOAWAY, the grace for its running calls, their end with the reason, and the
 *     end. Where its certificate ends, the grace lies before that, but for a connection that was opened shortly before.
 */
export class JudgedConnection {
  readonly #socket: TLSSocket;
  readonly #parts: JudgedConnectionParts;
  readonly #standing: ConnectionStanding;
  readonly #facts: Pick<Caller, 'connectionId' | 'remoteAddress' | 'security'>;
  readonly #openedAtMs = Date.now();
  readonly #calls = new Set<CuttableCall>();
  #session: ServerHttp2Session | undefined;
  #caller: Caller | undefined;
  #admitted: CallStanding | undefined;
  /** What {@link #admitted} follows from. */
  #admittedAs: Standing | undefined;
  #refused: Extract<CallStanding, { admitted: false }> | undefined;
  #closeReason: RefusalReason | undefined;
  #isClosing = false;
  #validUntilMs = Number.POSITIVE_INFINITY;
  #cutAtMs = Number.POSITIVE_INFINITY;
  #stopAwaiting: () => void = () => {};
  #stopClosing: () => void = () => {};
  #stopCut: () => void = () => {};

  constructor(socket: TLSSocket, parts: JudgedConnectionParts) {
    this.#socket = socket;
    this.#parts = parts;
    const security = securityOf(socket);
    this.#facts = { connectionId: nextConnectionId(), remoteAddress: remoteOf(socket), security };
    this.#standing = new ConnectionStanding(readPeerChain(socket), security, {
      trust: parts.trust,
      policy: constant({ requireClientAuth: true }),
      admit: constant(parts.admit),
    });
    socket.once('close', () => {
      this.#stopAwaiting();
      this.#stopClosing();
      this.#stopCut();
    });
  }

  get standing(): CallStanding {
    if (this.#refused !== undefined) return this.#refused;
    const now = this.#standing.now;
    if (this.#admitted !== undefined && now === this.#admittedAs) return this.#admitted;
    if (!now.admitted) return this.#refuse(now);
    this.#caller = { ...this.#facts, identity: now.identity, roles: now.roles, bearer: undefined };
    this.#awaitEnd(now.validUntilMs);
    this.#admittedAs = now;
    this.#admitted = { admitted: true, caller: this.#caller };
    return this.#admitted;
  }

  /** Why we closed it; undefined while we did not. */
  get closeReason(): RefusalReason | undefined {
    return this.#closeReason;
  }

  /** Its calls come over this session; known from the first of them on. */
  serve(session: ServerHttp2Session): void {
    this.#session = session;
    if (this.#isClosing) session.close();
  }

  /** A handler gets a call. */
  begin(call: CuttableCall): void {
    this.#calls.add(call);
  }

  /** That is over. */
  end(call: CuttableCall): void {
    this.#calls.delete(call);
  }

  #awaitEnd(validUntilMs: number): void {
    if (this.#validUntilMs === validUntilMs || this.#socket.destroyed) return;
    this.#validUntilMs = validUntilMs;
    const { withdrawalGraceMs } = this.#parts;
    const isShort = validUntilMs - this.#openedAtMs < 2 * withdrawalGraceMs;
    this.#stopAwaiting();
    this.#stopAwaiting = atTime(isShort ? validUntilMs : validUntilMs - withdrawalGraceMs, () => {
      const { standing } = this;
      // Another path to another anchor may have been found since: that is awaited now.
      if (standing.admitted && this.#validUntilMs === validUntilMs) this.#expire(standing.caller);
    });
  }

  #expire(caller: Caller): void {
    const detail = `the certificate is valid until ${new Date(this.#validUntilMs).toISOString()}`;
    this.#withdraw(caller, { reason: 'certificate_expired', detail, identity: caller.identity });
  }

  #refuse(standing: NotAdmitted): CallStanding {
    const { refuser, refusalDelayMs } = this.#parts;
    const { reason, unauthenticated } = standing;
    const caller = this.#caller;
    const delayMs = caller === undefined ? refusalDelayMs(this.#socket.remoteAddress ?? '') : 0;
    this.#refused = { admitted: false, reason, unauthenticated, tellAtMs: Date.now() + delayMs };
    if (caller !== undefined) this.#withdraw(caller, standing);
    else {
      refuser.record(this.#socket, standing);
      this.#endAfter(delayMs, reason);
    }
    return this.#refused;
  }

  #withdraw(caller: Caller, refusal: Refusal): void {
    const graceMs = Math.max(Math.min(this.#parts.withdrawalGraceMs, this.#validUntilMs - Date.now()), 0);
    if (this.#closeReason === undefined)
      this.#parts.withdrawn(caller, refusal, { activeCalls: this.#calls.size, graceMs });
    this.#endAfter(0, refusal.reason);
  }

  /** The first reason stays, the earlier end counts. */
  #endAfter(delayMs: number, reason: RefusalReason): void {
    this.#closeReason ??= reason;
    if (delayMs === 0) this.#close();
    else this.#stopClosing = atTime(Date.now() + delayMs, () => this.#close());
    const graceEndsMs = Date.now() + delayMs + this.#parts.withdrawalGraceMs;
    const cutAtMs = Math.min(graceEndsMs, this.#validUntilMs);
    if (cutAtMs >= this.#cutAtMs) return;
    this.#cutAtMs = cutAtMs;
    this.#stopCut();
    this.#stopCut = atTime(cutAtMs, () => this.#cut(reason));
  }

  /** A GOAWAY without an error code: with one, the peer would drop the calls that are about to be told. */
  #close(): void {
    this.#isClosing = true;
    this.#session?.close();
  }

  #cut(reason: RefusalReason): void {
    if (this.#session === undefined) return void this.#socket.destroy();
    const session = this.#session;
    for (const call of [...this.#calls]) call.cut(reason);
    this.#stopCut = atTime(Date.now() + LAST_STATUS_MS, () => session.destroy(undefined, constants.NGHTTP2_CANCEL));
  }
}

function securityOf(socket: TLSSocket): Security {
  return { kind: 'mutual_tls', protocol: socket.getProtocol() ?? 'unknown', cipher: socket.getCipher().name };
}
