import * as grpc from '@grpc/grpc-js';
import type { FacadeCall } from './facade-call.ts';

/**
 * Calls that wait for a connection, each until its patience or its deadline ends.
 *
 * H1. A call leaves exactly once: released, or failed here.
 */
export class HeldCalls {
  readonly #timers = new Map<FacadeCall, NodeJS.Timeout>();
  readonly #why: () => string;

  /** @param why tells a call that gives up what it waited for, in one sentence. */
  constructor(why: () => string) {
    this.#why = why;
  }

  get size(): number {
    return this.#timers.size;
  }

  /** @param patienceMs the call's own deadline ends the wait earlier. */
  add(call: FacadeCall, patienceMs: number): void {
    const deadline = call.args[1];
    const untilDeadlineMs = (deadline instanceof Date ? deadline.getTime() : deadline) - Date.now();
    const waitMs = Math.max(0, Math.min(untilDeadlineMs, patienceMs));
    const code = untilDeadlineMs <= patienceMs ? grpc.status.DEADLINE_EXCEEDED : grpc.status.UNAVAILABLE;
    const timer = setTimeout(() => {
      if (this.forget(call)) call.fail(code, this.#why());
    }, waitMs);
    this.#timers.set(call, timer);
  }

  /** Lets go of a call that ended; returns whether it was held. */
  forget(call: FacadeCall): boolean {
    clearTimeout(this.#timers.get(call));
    return this.#timers.delete(call);
  }

  /** Lets go of all of them, in the order they came. */
  releaseAll(): readonly FacadeCall[] {
    const calls = [...this.#timers.keys()];
    for (const call of calls) this.forget(call);
    return calls;
  }
}
