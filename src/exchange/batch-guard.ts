import type { Caller } from '../rpc/caller.ts';
import type { Decision } from '../rpc/decision.ts';
import type { StreamGuard } from '../rpc/stream-guard.ts';

/** The guard of a stream that asks who is at the other end once for each batch: what is in one arrived at one moment. */
export class BatchGuard implements StreamGuard {
  readonly interceptor: StreamGuard['interceptor'];
  readonly #guard: StreamGuard;
  #caller: Caller | undefined;
  #isAsked = false;

  constructor(guard: StreamGuard) {
    this.#guard = guard;
    this.interceptor = guard.interceptor;
  }

  /** Another batch begins. */
  next(): void {
    this.#isAsked = false;
  }

  caller(): Caller | undefined {
    if (!this.#isAsked) {
      this.#caller = this.#guard.caller();
      this.#isAsked = true;
    }
    return this.#caller;
  }

  decide(caller: Caller, kind: string): Decision {
    return this.#guard.decide(caller, kind);
  }
}
