import { Backoff, type BackoffOptions } from '../lifecycle/backoff.ts';
import { openSvidStream, type SvidStream, type SvidStreamEnd, type X509SvidResponse } from '../rpc/workload-api.ts';

export interface SvidWatchParts {
  readonly socketPath: string;
  /** Waits between the end of a stream and the next; the first again after each answer. */
  readonly retry: BackoffOptions;
  readonly onResponse: (response: X509SvidResponse) => void;
  /** Told how each stream ended, before the wait for the next. */
  readonly onEnd: (end: SvidStreamEnd) => void;
}

/** Holds one stream of the Workload API open, and opens it again when it ends, until it is closed. */
export class SvidWatch {
  readonly #parts: SvidWatchParts;
  readonly #backoff: Backoff;
  #stream: SvidStream | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: SvidWatchParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.retry);
    this.#open();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stream?.close();
  }

  #open(): void {
    const { socketPath, onResponse, onEnd } = this.#parts;
    this.#stream = openSvidStream({
      socketPath,
      onResponse: response => {
        this.#backoff.reset();
        onResponse(response);
      },
      onEnd: end => {
        this.#timer = setTimeout(() => this.#open(), this.#backoff.nextMs());
        this.#timer.unref();
        onEnd(end);
      },
    });
  }
}
