import { type ExpiringCertificate, type ExpiryLevel, expiryLevelAt, nextExpiryChange } from '../credentials/expiry.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { atTime } from '../lifecycle/at-time.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { ExpiryGauges } from './expiry-gauges.ts';
import { ExpiryLog, replaces } from './expiry-log.ts';

/** A certificate and what it is used for; see {@link ExpiringCertificate}. */
export interface FollowedCertificate {
  readonly usage: string;
  readonly identity: PeerIdentity;
}

/** Time, as the watch sees it. */
export interface ExpiryClock {
  /** Unix milliseconds. */
  now(): number;
  /** Calls `act` once at that time, never at once. Returns what calls it off. */
  at(unixMs: number, act: () => void): () => void;
}

interface Followed extends FollowedCertificate {
  readonly key: string;
  /** How many connections show it; 1 for our own. */
  holders: number;
  level: ExpiryLevel | undefined;
  stopWaiting: () => void;
}

const SYSTEM_CLOCK: ExpiryClock = { now: () => Date.now(), at: atTime };

/**
 * Follows certificates to their end: our own, those of CAs, and those that peers show on open connections.
 *
 * W1. Each level that a certificate reaches is logged once, at the time when it is reached; metrics and `expiring` show
 *     the level of now.
 * W2. What is no longer used is forgotten with all it showed; that of a peer goes with its last connection. A
 *     certificate that was rotated away is logged as cleared if it was logged before.
 * W3. Memory is bounded by the certificates in use, one entry each, and by what the log remembers.
 */
export class ExpiryWatch {
  readonly #clock: ExpiryClock;
  readonly #gauges: ExpiryGauges;
  readonly #log: ExpiryLog;
  readonly #own = new Map<string, Followed>();
  readonly #peers = new Map<string, Followed>();
  #isClosed = false;

  constructor(logger: Logger, metrics: Metrics, clock: ExpiryClock = SYSTEM_CLOCK) {
    this.#clock = clock;
    this.#gauges = new ExpiryGauges(metrics);
    this.#log = new ExpiryLog(logger);
  }

  /** Certificates at some level, the one that ends first before the others. */
  get expiring(): readonly ExpiringCertificate[] {
    return [...this.#own.values(), ...this.#peers.values()]
      .flatMap(({ usage, identity, level }) => (level === undefined ? [] : [{ usage, identity, level }]))
      .sort((a, b) => a.identity.notAfter.getTime() - b.identity.notAfter.getTime());
  }

  /** What this process shows and trusts from now on, in place of what it did before. */
  followOwn(certificates: readonly FollowedCertificate[]): void {
    const wanted = new Map(certificates.map(each => [keyOf(each), each]));
    const gone = [...this.#own.values()].filter(({ key }) => !wanted.has(key));
    // The new ones first: a use that goes on keeps its gauges.
    for (const [key, certificate] of wanted)
      if (!this.#own.has(key)) this.#own.set(key, this.#follow(key, certificate));
    for (const followed of gone) {
      this.#own.delete(followed.key);
      this.#forget(followed);
      this.#log.cleared(followed.key);
    }
  }

  /** A peer shows this certificate on a connection. Returns what to call, once, when that connection has ended. */
  followPeer(identity: PeerIdentity): () => void {
    const certificate = { usage: 'peer', identity };
    const key = keyOf(certificate);
    const known = this.#peers.get(key);
    const followed = known ?? this.#follow(key, certificate);
    if (known === undefined) {
      this.#peers.set(key, followed);
      this.#clearReplacedBy(identity);
    } else known.holders += 1;
    return () => {
      followed.holders -= 1;
      if (followed.holders > 0) return;
      this.#peers.delete(key);
      this.#forget(followed);
      if (this.#log.told.has(key) && this.#isReplaced(identity)) this.#log.cleared(key);
    };
  }

  close(): void {
    this.#isClosed = true;
    for (const { stopWaiting } of [...this.#own.values(), ...this.#peers.values()]) stopWaiting();
  }

  #follow(key: string, { usage, identity }: FollowedCertificate): Followed {
    const followed: Followed = { usage, identity, key, holders: 1, level: undefined, stopWaiting: () => {} };
    this.#gauges.added(usage, identity.notAfter);
    this.#look(followed);
    return followed;
  }

  #look(followed: Followed): void {
    if (this.#isClosed) return;
    const { key, usage, identity } = followed;
    const now = this.#clock.now();
    const level = expiryLevelAt(identity, now);
    this.#gauges.moved(usage, followed.level, level);
    followed.level = level;
    if (level !== undefined) this.#log.expiring(key, { usage, identity, level });
    followed.stopWaiting = this.#clock.at(nextExpiryChange(identity, now), () => this.#look(followed));
  }

  #forget({ usage, identity, level, stopWaiting }: Followed): void {
    stopWaiting();
    this.#gauges.moved(usage, level, undefined);
    this.#gauges.removed(usage, identity.notAfter);
  }

  /** Those whose last connection had ended before their successor came. */
  #clearReplacedBy(next: PeerIdentity): void {
    for (const [key, { usage, identity }] of this.#log.told)
      if (usage === 'peer' && !this.#peers.has(key) && replaces(next, identity)) this.#log.cleared(key);
  }

  #isReplaced(previous: PeerIdentity): boolean {
    for (const { identity } of this.#peers.values()) if (replaces(identity, previous)) return true;
    return false;
  }
}

function keyOf({ usage, identity }: FollowedCertificate): string {
  return `${usage} ${identity.fingerprint256}`;
}
