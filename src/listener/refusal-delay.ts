/**
 * Slows down peers that are refused again and again: a bare grpc-js client redials 120 to 150 times a second, since a
 * refusal after SETTINGS counts as a connection for it. The first refusal of an address is immediate.
 *
 * Invariants: memory is bounded by `maxAddresses`; an address is forgotten `windowMs` after its last refusal.
 */
export class RefusalDelay {
  readonly #lastRefusal = new Map<string, number>();
  readonly #windowMs: number;
  readonly #delayMs: number;
  readonly #maxAddresses: number;

  /** @param options Defaults: a window of 5,000 ms, a delay of 500 ms, 10,000 addresses. */
  constructor(options: { windowMs?: number; delayMs?: number; maxAddresses?: number } = {}) {
    this.#windowMs = options.windowMs ?? 5_000;
    this.#delayMs = options.delayMs ?? 500;
    this.#maxAddresses = options.maxAddresses ?? 10_000;
  }

  /** Records a refusal of `address` and returns how long to hold it back, in milliseconds. */
  next(address: string, now: number): number {
    const last = this.#lastRefusal.get(address);
    this.#lastRefusal.delete(address);
    this.#lastRefusal.set(address, now);
    this.#forget(now);
    return last !== undefined && now - last < this.#windowMs ? this.#delayMs : 0;
  }

  #forget(now: number): void {
    for (const [address, last] of this.#lastRefusal) {
      if (now - last < this.#windowMs && this.#lastRefusal.size <= this.#maxAddresses) return;
      this.#lastRefusal.delete(address);
    }
  }
}
