/** Sources that are remembered; the one that was quiet the longest is forgotten first. */
const MAX_SOURCES = 1_000;

export interface FloodLimits {
  /** Of all sources together, in a second. */
  readonly perSecond: number;
  /** Of one source, in a second. */
  readonly perSecondPerSource: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/**
 * Lets so many through in a second: of one source, and of all of them. Two token buckets, each of which holds what it lets
 * through in a second. Memory is bounded; a source that was forgotten begins anew, and the limit of all still counts.
 */
export class FloodLimit {
  readonly #limits: FloodLimits;
  readonly #all: Bucket;
  readonly #sources = new Map<string, Bucket>();

  constructor(limits: FloodLimits) {
    this.#limits = limits;
    this.#all = { tokens: limits.perSecond, atMs: 0 };
  }

  /** Whether one more of `source` is let through. What its source is not allowed takes nothing from the others. */
  take(source: string, nowMs: number): boolean {
    const { perSecond, perSecondPerSource } = this.#limits;
    const own = this.#sources.get(source) ?? { tokens: perSecondPerSource, atMs: nowMs };
    this.#sources.delete(source);
    this.#sources.set(source, own);
    this.#forget();
    refill(own, perSecondPerSource, nowMs);
    refill(this.#all, perSecond, nowMs);
    if (own.tokens < 1 || this.#all.tokens < 1) return false;
    own.tokens -= 1;
    this.#all.tokens -= 1;
    return true;
  }

  #forget(): void {
    for (const oldest of this.#sources.keys()) {
      if (this.#sources.size <= MAX_SOURCES) return;
      this.#sources.delete(oldest);
    }
  }
}

/** A clock that was put back gives nothing and takes nothing. */
function refill(bucket: Bucket, perSecond: number, nowMs: number): void {
  const elapsedMs = Math.max(nowMs - bucket.atMs, 0);
  bucket.tokens = Math.min(perSecond, bucket.tokens + (elapsedMs * perSecond) / 1_000);
  bucket.atMs = nowMs;
}
