import { EXPIRY_LEVELS, type ExpiryLevel } from '../credentials/expiry.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** The ends of all certificates of one usage. */
interface Ends {
  /** How many end at which time, in Unix milliseconds. */
  readonly counts: Map<number, number>;
  earliestMs: number;
}

/** Shows, for each use of certificates, how many are at which level and when the first one ends. */
export class ExpiryGauges {
  readonly #metrics: Metrics;
  readonly #byUsage = new Map<string, Ends>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  added(usage: string, notAfter: Date): void {
    const ends = this.#byUsage.get(usage) ?? this.#begin(usage);
    const endMs = notAfter.getTime();
    ends.counts.set(endMs, (ends.counts.get(endMs) ?? 0) + 1);
    if (endMs < ends.earliestMs) this.#show(usage, ends, endMs);
  }

  moved(usage: string, from: ExpiryLevel | undefined, to: ExpiryLevel | undefined): void {
    const gauge = this.#metrics.expiringCertificates;
    if (from !== undefined) gauge.dec({ usage, level: from });
    if (to !== undefined) gauge.inc({ usage, level: to });
  }

  /** A use without a certificate is not shown at all: it must not leave an expiry behind to alert on. */
  removed(usage: string, notAfter: Date): void {
    const ends = this.#byUsage.get(usage);
    if (ends === undefined) return;
    const endMs = notAfter.getTime();
    const count = (ends.counts.get(endMs) ?? 0) - 1;
    if (count > 0) return void ends.counts.set(endMs, count);
    ends.counts.delete(endMs);
    if (ends.counts.size > 0) {
      if (endMs === ends.earliestMs) this.#show(usage, ends, earliestOf(ends.counts.keys()));
      return;
    }
    this.#byUsage.delete(usage);
    this.#metrics.certificateExpiration.remove({ usage });
    for (const level of EXPIRY_LEVELS) this.#metrics.expiringCertificates.remove({ usage, level });
  }

  #begin(usage: string): Ends {
    const ends: Ends = { counts: new Map(), earliestMs: Number.POSITIVE_INFINITY };
    this.#byUsage.set(usage, ends);
    for (const level of EXPIRY_LEVELS) this.#metrics.expiringCertificates.set({ usage, level }, 0);
    return ends;
  }

  #show(usage: string, ends: Ends, earliestMs: number): void {
    ends.earliestMs = earliestMs;
    this.#metrics.certificateExpiration.set({ usage }, earliestMs / 1_000);
  }
}

function earliestOf(times: Iterable<number>): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const time of times) earliest = Math.min(earliest, time);
  return earliest;
}
