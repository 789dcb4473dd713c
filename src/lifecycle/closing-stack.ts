/** Closes what was opened, last opened first, and goes on when one of them fails. */
export class ClosingStack implements AsyncDisposable {
  readonly #closers: { name: string; close: () => unknown }[] = [];
  readonly #onError: (name: string, error: unknown) => void;

  /** @param onError told of each `close` that throws; the rest is closed all the same. */
  constructor(onError: (name: string, error: unknown) => void = () => {}) {
    this.#onError = onError;
  }

  /** Registers how to close something; returns it. */
  use<T extends { close(): unknown }>(name: string, resource: T): T {
    this.defer(name, () => resource.close());
    return resource;
  }

  defer(name: string, close: () => unknown): void {
    this.#closers.push({ name, close });
  }

  async close(): Promise<void> {
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        await closer.close();
      } catch (error) {
        this.#onError(closer.name, error);
      }
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
