import type { RefusalReason } from '../errors/refusal-reason.ts';
import { messageOf } from '../errors/selvedge-error.ts';
import { atTime } from '../lifecycle/at-time.ts';
import { inSlices } from '../lifecycle/in-slices.ts';
import type { ObservableValue } from '../lifecycle/observable-value.ts';
import type { RefusedPeer } from '../rpc/refused-peer.ts';
import { certificateFields } from '../telemetry/certificate-fields.ts';
import { type Logger, printable } from '../telemetry/logger.ts';
import type { Standing, StandingParts } from './connection-standing.ts';
import type { InboundConnection } from './inbound-connection.ts';
import type { AuthorizeCall } from './listener-policy.ts';

/** Told of connections whose standing changed. */
export interface StandingListener {
  /** It must go. Told before it is drained, so that last words can be said over it. */
  withdrawn?(connection: InboundConnection, reason: RefusalReason): void;
  /** Its peer holds other roles now, or the rules of calls are others. */
  rolesChanged?(connection: InboundConnection): void;
}

export interface StandingReviewParts {
  readonly standing: StandingParts;
  readonly authorize: ObservableValue<AuthorizeCall>;
  /** How long calls may go on over a connection that must go; asked when it is needed. */
  readonly graceMs: () => number;
  readonly listener: StandingListener;
  readonly refused?: ((peer: RefusedPeer) => void) | undefined;
  readonly logger: Logger;
}

/**
 * Asks open connections again whether they may be here: all of them when trust, policy or lists change, each when its
 * certificate ends; and their running calls whether they may go on, when the rules of calls change.
 *
 * R1. A connection whose standing is still good is not touched; one whose standing is not gets GOAWAY, the grace for its
 *     running calls, and the end.
 * R2. No connection outlives the certificate that it was authenticated with: the grace lies before that ends, but for a
 *     connection that was opened shortly before.
 * R3. Any number of connections is asked without holding up the event loop; a change while that runs is seen by all.
 */
export class StandingReview {
  readonly #parts: StandingReviewParts;
  readonly #unsubscribe: readonly (() => void)[];
  readonly #followed = new Set<InboundConnection>();
  readonly #ends = new Map<InboundConnection, () => void>();
  readonly #withdrawn = new WeakSet<InboundConnection>();
  #isRunning = false;
  #isStale = false;

  constructor(parts: StandingReviewParts) {
    this.#parts = parts;
    const { trust, policy, admit } = parts.standing;
    this.#unsubscribe = [trust, policy, admit, parts.authorize].map(value =>
      value.subscribe(() => void this.#askAll()),
    );
  }

  /** From its opening on; until it is closed. */
  follow(connection: InboundConnection): void {
    this.#followed.add(connection);
    this.#ask(connection);
    void connection.closed.then(() => {
      this.#followed.delete(connection);
      this.#ends.get(connection)?.();
      this.#ends.delete(connection);
    });
  }

  close(): void {
    for (const stop of this.#unsubscribe) stop();
  }

  async #askAll(): Promise<void> {
    this.#isStale = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        // Not in the turn of the change: its other subscribers come first.
        await Promise.resolve();
        const startedAt = performance.now();
        const connections = [...this.#followed];
        await inSlices(connections, connection => this.#ask(connection));
        this.#parts.logger.debug('connections.reviewed', {
          direction: 'inbound',
          connections: connections.length,
          durationMs: Math.round(performance.now() - startedAt),
        });
      }
    } catch (error) {
      this.#parts.logger.error('listener.error', { error: messageOf(error) });
    } finally {
      this.#isRunning = false;
    }
  }

  #ask(connection: InboundConnection): void {
    // Closed while others were asked.
    if (!this.#followed.has(connection)) return;
    const standing = connection.standing.now;
    const { listener, graceMs } = this.#parts;
    if (!standing.admitted) return this.#withdraw(connection, standing, graceMs());
    if (connection.calls.hold(standing.roles, graceMs())) listener.rolesChanged?.(connection);
    this.#awaitEnd(connection);
  }

  #awaitEnd(connection: InboundConnection): void {
    const standing = connection.standing.now;
    if (!standing.admitted) return;
    const { validUntilMs } = standing;
    this.#ends.get(connection)?.();
    const graceMs = this.#parts.graceMs();
    const isShort = validUntilMs - connection.openedAt.getTime() < 2 * graceMs;
    const begin = () => {
      const standingNow = connection.standing.now;
      // Another path to another anchor may have been found since.
      if (standingNow.admitted && standingNow.validUntilMs > validUntilMs) return this.#awaitEnd(connection);
      const { identity } = standingNow;
      const detail = `the certificate is valid until ${new Date(validUntilMs).toISOString()}`;
      const ended = {
        admitted: false,
        reason: 'certificate_expired',
        detail,
        identity,
        unauthenticated: true,
      } as const;
      this.#withdraw(connection, standingNow.admitted ? ended : standingNow, Math.max(validUntilMs - Date.now(), 0));
    };
    this.#ends.set(connection, atTime(isShort ? validUntilMs : validUntilMs - graceMs, begin));
  }

  #withdraw(connection: InboundConnection, standing: Extract<Standing, { admitted: false }>, graceMs: number): void {
    const { reason, detail, identity } = standing;
    const { caller, activeCalls, id } = connection;
    if (!this.#withdrawn.has(connection)) {
      this.#withdrawn.add(connection);
      this.#parts.refused?.({
        direction: 'inbound',
        remoteAddress: caller.remoteAddress,
        connectionId: id,
        reason,
        detail: `withdrawn: ${detail}`,
        identity: identity ?? caller.identity,
      });
      this.#parts.logger.warn('connection.withdrawn', {
        direction: 'inbound',
        connection: id,
        remote: caller.remoteAddress,
        reason,
        detail: printable(detail),
        ...certificateFields(identity ?? caller.identity),
        activeCalls,
        graceMs,
      });
      this.#parts.listener.withdrawn?.(connection, reason);
    }
    void connection.drain(reason, graceMs);
  }
}
