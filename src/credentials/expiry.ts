import type { PeerIdentity } from '../identity/peer-identity.ts';

/** How near the end of a certificate is, mildest first. */
export const EXPIRY_LEVELS = ['notice', 'warning', 'critical', 'expired'] as const;
export type ExpiryLevel = (typeof EXPIRY_LEVELS)[number];

/** Of a certificate: its first and its last second (RFC 5280 4.1.2.5). */
export type Validity = Pick<PeerIdentity, 'notBefore' | 'notAfter'>;

/** A certificate that ends before long. */
export interface ExpiringCertificate {
  /** `server`, `client`, `profile blue`, ... of our own, `ca` of those we trust or hand out, `peer` of the other side. */
  readonly usage: string;
  readonly identity: PeerIdentity;
  readonly level: ExpiryLevel;
}

const DAY_MS = 86_400_000;

/**
 * A level begins when this much is left; of what is issued for a short time, when one of so many equal parts of its
 * lifetime is. By the last third those who renew in time have renewed (cert-manager after two thirds, SPIRE after half).
 */
const THRESHOLDS = {
  notice: { leftMs: 30 * DAY_MS, parts: 3 },
  warning: { leftMs: 7 * DAY_MS, parts: 6 },
  critical: { leftMs: DAY_MS, parts: 12 },
};

/** The level of a certificate at a time in Unix milliseconds; undefined while its end is far. */
export function expiryLevelAt(validity: Validity, nowMs: number): ExpiryLevel | undefined {
  return EXPIRY_LEVELS.findLast(level => nowMs >= beginOfLevel(validity, level));
}

/** When the next level begins, in Unix milliseconds; infinity for what has expired. */
export function nextExpiryChange(validity: Validity, nowMs: number): number {
  const begins = EXPIRY_LEVELS.map(level => beginOfLevel(validity, level));
  return begins.find(begin => begin > nowMs) ?? Number.POSITIVE_INFINITY;
}

/** When a level begins, in Unix milliseconds. */
export function beginOfLevel({ notBefore, notAfter }: Validity, level: ExpiryLevel): number {
  const endMs = notAfter.getTime() + 1_000;
  if (level === 'expired') return endMs;
  const lifetimeMs = Math.max(endMs - notBefore.getTime(), 0);
  const { leftMs, parts } = THRESHOLDS[level];
  return endMs - Math.min(leftMs, Math.floor(lifetimeMs / parts));
}
