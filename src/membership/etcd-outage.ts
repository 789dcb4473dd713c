import type { EtcdFailure } from '../rpc/etcd-failure.ts';

/**
 * Whether nothing is heard of etcd, and why. What lasts less than `afterMs` is none. It goes by what was found first: other
 * words for the same, such as those of another endpoint, are no news.
 */
export class EtcdOutage {
  readonly #afterMs: number;
  readonly #onChange: () => void;
  #failure: EtcdFailure | undefined;
  #isLasting = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(afterMs: number, onChange: () => void) {
    this.#afterMs = afterMs;
    this.#onChange = onChange;
  }

  /** Undefined: there is none. */
  get failure(): EtcdFailure | undefined {
    return this.#isLasting ? this.#failure : undefined;
  }

  note(failure: EtcdFailure): void {
    if (failure.kind === this.#failure?.kind) return;
    this.#failure = failure;
    if (this.#isLasting) this.#onChange();
    else this.#timer ??= setTimeout(() => this.begin(failure), this.#afterMs).unref();
  }

  /** It is one already. */
  begin(failure: EtcdFailure): void {
    this.#failure ??= failure;
    this.#isLasting = true;
    this.#onChange();
  }

  end(): void {
    this.close();
    this.#failure = undefined;
    this.#isLasting = false;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
