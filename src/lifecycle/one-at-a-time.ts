/** Runs a task each time it is asked for, never twice at once: what is asked for while it runs is one more run after it. */
export class OneAtATime {
  readonly #task: () => unknown;
  readonly #onError: (error: unknown) => void;
  #running: Promise<void> | undefined;
  #isAskedAgain = false;
  #isClosed = false;

  /** @param onError told what the task throws or rejects with. */
  constructor(task: () => unknown, onError: (error: unknown) => void) {
    this.#task = task;
    this.#onError = onError;
  }

  ask(): void {
    if (this.#isClosed) return;
    this.#isAskedAgain = true;
    this.#running ??= this.#run();
  }

  /** Runs nothing from now on, and waits for a run that is on its way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    // So that it never ends before `ask` has taken note of it.
    await undefined;
    while (this.#isAskedAgain && !this.#isClosed) {
      this.#isAskedAgain = false;
      try {
        await this.#task();
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#running = undefined;
  }
}
