import type { SelvedgeError } from '../errors/selvedge-error.ts';

/**
 * A refusal that has not been followed by a connection yet. It may be about to pass (the other side just changed its
 * mode, say), so it counts only once it has stood for a while.
 */
export class StandingRefusal {
  readonly #holdMs: number;
  readonly #onLasting: (error: SelvedgeError) => void;
  #error: SelvedgeError | undefined;
  #since = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param onLasting told once when a refusal has stood for `holdMs`. */
  constructor(holdMs: number, onLasting: (error: SelvedgeError) => void) {
    this.#holdMs = holdMs;
    this.#onLasting = onLasting;
  }

  /** The newest refusal, lasting or not. */
  get error(): SelvedgeError | undefined {
    return this.#error;
  }

  /** The newest refusal, where one has stood for `holdMs`. */
  get lasting(): SelvedgeError | undefined {
    return this.#error !== undefined && Date.now() - this.#since >= this.#holdMs ? this.#error : undefined;
  }

  note(error: SelvedgeError): void {
    if (this.#error === undefined) this.#since = Date.now();
    this.#error = error;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#error !== undefined) this.#onLasting(this.#error);
    }, this.#holdMs).unref();
  }

  /** There is a connection, or another thing to dial. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#error = undefined;
  }
}
