import { Backoff, type BackoffOptions } from '../lifecycle/backoff.ts';
import { openSvidStream, type SvidStream, type X509SvidResponse } from '../rpc/workload-api.ts';
import type { CredentialProblem } from './credential-problem.ts';
import { outageOf, type SvidOutage } from './svid-outage.ts';

export interface SvidWatchParts {
  readonly socketPath: string;
  /** Waits between the end of a stream and the next; the first again after each answer. */
  readonly retry: BackoffOptions;
  readonly onResponse: (response: X509SvidResponse) => void;
  /** Told why each stream ended, or was not opened, at the beginning of the wait for the next. */
  readonly onOutage: (outage: SvidOutage) => void;
  /** Asked before each stream: why nobody must be dialled now. */
  readonly whyNotBelieved: (() => Promise<CredentialProblem | undefined>) | undefined;
}

/** Holds one stream of the Workload API open, and opens it again when it ends, until it is closed. */
export class SvidWatch {
  readonly #parts: SvidWatchParts;
  readonly #backoff: Backoff;
  #stream: SvidStream | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: SvidWatchParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.retry);
    void this.#open();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#stream?.close();
  }

  async #open(): Promise<void> {
    const { socketPath, onResponse, whyNotBelieved } = this.#parts;
    const why = await whyNotBelieved?.();
    if (this.#isClosed) return;
    // What somebody else put there says nothing about who we are.
    if (why !== undefined) return this.#wait({ kind: 'away', problem: why.problem });
    this.#stream = openSvidStream({
      socketPath,
      onResponse: response => {
        this.#backoff.reset();
        onResponse(response);
      },
      onEnd: end => this.#wait(outageOf(end)),
    });
  }

  #wait(outage: SvidOutage): void {
    this.#timer = setTimeout(() => void this.#open(), this.#backoff.nextMs());
    this.#timer.unref();
    this.#parts.onOutage(outage);
  }
}
