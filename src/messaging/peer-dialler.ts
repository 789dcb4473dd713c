import type { Backoff } from '../lifecycle/backoff.ts';

export interface PeerDiallerParts {
  /** Whether a dial is wanted now. Asked before each dial and after it. */
  readonly wanted: () => boolean;
  /** Dials once. Must not throw; what came of it is the owner's business. */
  readonly dial: (signal: AbortSignal) => Promise<void>;
  readonly backoff: Backoff;
}

/**
 * Dials one peer again and again for as long as that is wanted, one dial at a time, with growing waits between.
 */
export class PeerDialler {
  readonly #parts: PeerDiallerParts;
  #timer: NodeJS.Timeout | undefined;
  #dialling: AbortController | undefined;
  /** Asked for while a dial was under way: do not wait after that one. */
  #again = false;
  #stopped = false;

  constructor(parts: PeerDiallerParts) {
    this.#parts = parts;
  }

  /** Forgets the backoff and dials now, if that is wanted. A dial that is under way is waited for. */
  wake(): void {
    this.#parts.backoff.reset();
    this.#again = true;
    this.#start();
  }

  /** As `wake`, but a dial that is under way is given up: what it dials is out of date. */
  restart(): void {
    this.#dialling?.abort();
    this.wake();
  }

  /** Dials after the next wait, if that is still wanted then; does nothing when a dial is due anyway. */
  later(): void {
    if (this.#stopped || this.#dialling !== undefined || this.#timer !== undefined || !this.#parts.wanted()) return;
    this.#timer = setTimeout(() => this.#start(), this.#parts.backoff.nextMs()).unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#dialling?.abort();
  }

  #start(): void {
    if (this.#stopped || this.#dialling !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#again = false;
    if (!this.#parts.wanted()) return;
    const dialling = new AbortController();
    this.#dialling = dialling;
    void this.#parts.dial(dialling.signal).then(() => {
      this.#dialling = undefined;
      if (this.#again) this.#start();
      else this.later();
    });
  }
}
