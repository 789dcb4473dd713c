import { Backoff } from '../lifecycle/backoff.ts';

const RETRY = { initialMs: 1_000, maxMs: 60_000 };
/** What a timer of Node can hold; beyond it would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** When to read the files again without being told: regularly, and sooner while they cannot be used. */
export class ReloadSchedule {
  readonly #reload: () => void;
  readonly #backoff = new Backoff(RETRY);
  #refreshTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(reload: () => void) {
    this.#reload = reload;
  }

  /** From now on every `intervalMs`, in place of the interval before. */
  refreshEvery(intervalMs: number): void {
    clearInterval(this.#refreshTimer);
    this.#refreshTimer = setInterval(this.#reload, Math.min(intervalMs, MAX_TIMER_MS));
    this.#refreshTimer.unref();
  }

  /** Once more after 1 s, then after growing waits of up to 60 s, until {@link succeeded}. */
  failed(): void {
    if (this.#retryTimer !== undefined) return;
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      this.#reload();
    }, this.#backoff.nextMs());
    this.#retryTimer.unref();
  }

  succeeded(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#backoff.reset();
  }

  close(): void {
    clearInterval(this.#refreshTimer);
    clearTimeout(this.#retryTimer);
  }
}
